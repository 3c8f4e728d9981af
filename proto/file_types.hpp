#pragma once
// What files on hosts and on operators' machines hold: coded by the same lists as the API's types, but no part of its contract.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/cluster_types.hpp"
#include "proto/desired_types.hpp"
#include "proto/join_types.hpp"
#include "proto/report_types.hpp"
#include "proto/view_types.hpp"

namespace slipway::proto {

// ---- files of ours, not of the API ------------------------------------------------------------------------------------
// slipwayctl's configuration (admin.conf): one file may hold several clusters.
struct AdminCluster {
  std::string name;
  std::string server;              // https://ADDRESS:7443
  std::string ca_certificate;      // PEM: the fabric CA
  std::string client_certificate;  // PEM
  std::string client_key;          // PEM, PKCS#8
};
struct AdminConfig {
  std::vector<AdminCluster> clusters;
  std::string current;  // name of the cluster that is meant when none is given
};
// How many may connect at once.
struct ConnectionLimits {
  std::uint64_t connections = 12'000;
  std::optional<std::uint64_t> known_connections;  // of these for known addresses only; absent: a quarter
  std::uint64_t anonymous_connections = 2'000;     // without a client certificate
  std::uint64_t connections_per_address = 4'000;
};
// Of backend routes: the program that sets the cluster's routes in the network outside (docs/network.md).
struct RoutesHook {
  std::vector<std::string> command;  // an absolute path and its arguments; empty: there is none
  std::string timeout = "30s";       // of one call
  std::uint64_t concurrency = 4;     // calls at once
  std::string period = "60s";        // between two looks at what is there
};
// What goes to the program on its standard input.
struct HookRoute {
  std::string destination;  // 10.10.3.0/24
  std::string next_hop;     // 192.168.10.13
  std::string node;         // whose pods these are
  std::string name;         // for tables whose entries have one: letters, digits and hyphens, at most 63, the same for the same destination
  std::vector<std::string> replaces = {};  // of create: where ours leads now; what leads elsewhere is not ours
};
struct HookRequest {
  std::uint64_t version = 1;
  std::string action;  // create (or replace), delete, list
  std::string cluster_name;
  std::string cluster_id;
  std::optional<HookRoute> route = {};  // of create and delete
};
// What it answers to list: all routes of the table, others' too.
struct HookFound {
  std::string destination;
  std::string next_hop;
};
struct HookAnswer {
  std::vector<HookFound> routes;
};
// <dataDir>/routes/set.json: what we have set outside, or were about to.
struct SetRoute {
  std::string destination;
  std::vector<std::string> next_hops;
};
struct SetRoutes {
  std::vector<SetRoute> routes;
};
// /etc/slipway/coordinator.yaml.
struct CoordinatorConfig {
  std::string listen = "0.0.0.0:7443";
  std::string data_dir = "/var/lib/slipway/coordinator";
  std::uint64_t io_threads = 0;  // 0: as many as there are cores, none of their own on one
  std::string log_level = "info";
  std::string ca_passphrase_file;  // empty: the systemd credential ca-passphrase, if there is one
  std::string quarantine_min_age = "10m";  // that a block of pod addresses rests when its node is gone; 0s: as long as agents route there, no longer
  ConnectionLimits limits;
  RoutesHook routes_hook = {};
};
// ~/.kube/config, as far as we write it. Names on the wire are kubectl's.
struct KubeconfigClusterData {
  std::string server;
  std::string ca_data;  // base64 of the PEM
};
struct KubeconfigCluster {
  std::string name;
  KubeconfigClusterData cluster;
};
struct KubeconfigUserData {
  std::string certificate_data;
  std::string key_data;
};
struct KubeconfigUser {
  std::string name;
  KubeconfigUserData user;
};
struct KubeconfigContextData {
  std::string cluster;
  std::string user;
};
struct KubeconfigContext {
  std::string name;
  KubeconfigContextData context;
};
struct KubeconfigFile {
  std::string api_version = "v1";
  std::string kind = "Config";
  std::vector<KubeconfigCluster> clusters;
  std::vector<KubeconfigUser> users;
  std::vector<KubeconfigContext> contexts;
  std::string current_context;
};

// ---- files of the agent --------------------------------------------------------------------------------------------
// /etc/slipway/agent.yaml and its drop-ins.
struct AgentConfig {
  std::vector<std::string> coordinators;  // https://IP:7443, tried in turn
  std::string token_file = "/etc/slipway/join.token";
  std::string role = "node";   // node | master
  std::string node_name;       // empty: the host's name
  std::string node_address;    // empty: the one on the way to the coordinator
  std::string data_dir = "/var/lib/slipway/agent";
  std::string log_level = "info";
  std::string cgroup_driver;   // systemd | cgroupfs; empty: what the host can do
  std::string local_group;     // members may ask the agent over its socket, too; empty: only root may
  std::vector<std::string> artifact_signers;  // whose word is needed for programs, whatever the cluster says; empty: the cluster's, pinned at first sight
  std::uint64_t artifact_threshold = 1;       // so many of artifact_signers
  std::vector<std::string> artifact_mirrors;  // instead of the cluster's
  std::string artifact_mirror_ca_file;        // PEM; empty: the cluster's mirrorCA, or the host's own list
  bool operator==(const AgentConfig&) const = default;
};
struct LocalError {
  std::string source;   // join, coordinator, certificates, address, or the component and stage of the reconciliation
  std::string message;
  std::string cure;     // empty: it ends by itself
  std::string since;
  std::optional<std::string> ended = {};  // absent: it stands
  bool operator==(const LocalError&) const = default;
};
struct LocalCertificate {
  std::string usage;
  std::string serial;
  std::string not_before;
  std::string not_after;
  std::string renew_at;
  bool operator==(const LocalCertificate&) const = default;
};
struct LocalDrift {
  std::string at;
  std::vector<std::string> what;  // changed by somebody else, put back
  bool operator==(const LocalDrift&) const = default;
};
// <dataDir>/artifact-trust.json: whose word this host takes, and the newest manifest it has seen.
struct ArtifactTrust {
  std::vector<std::string> signers;  // pinned at first sight, or by a manifest that named new ones
  std::uint64_t threshold = 1;
  std::uint64_t number = 0;          // of the newest manifest that was accepted
  std::string manifest;              // its text
  bool operator==(const ArtifactTrust&) const = default;
};
// /run/slipway/agent-status.json and /v1/status of the agent's socket: what `slipway-agent status` shows. No secrets.
struct AgentLocalStatus {
  bool joined = false;
  std::string updated_at;
  std::string cluster;
  std::string node_name;
  std::string role;
  std::string address;
  std::string pod_cidr;
  std::string message;       // what the agent waits for, with the cure; empty: nothing
  std::string last_contact;  // with a coordinator; empty: not since the agent's start
  std::uint64_t desired_revision = 0;
  NodeStatusReport report;
  std::string join_state;  // pending: an operator must approve this host; refused: the coordinator said no; empty: neither
  std::string agent_version = {};
  std::string coordinator = {};        // https://ADDRESS:7443 that answered last; empty: none since the agent's start
  std::string coordinator_error = {};  // why none could be asked last; empty: one could
  std::vector<LocalCertificate> certificates = {};
  std::map<std::string, std::string> component_since = {};  // component -> when its process began
  std::vector<LocalError> errors = {};                      // that stand
  std::optional<LocalError> last_error = {};                // the newest, also when it is over
  std::optional<LocalDrift> drift = {};
  bool operator==(const AgentLocalStatus&) const = default;
};
// <data dir>/applied.json: with what the node's components were brought about last and came up.
struct AppliedSettings {
  std::string node_uid;  // of the registration that it is about
  ClusterSpec cluster;
  NodeOverrides own;
  NodeSettings host;                          // of the host's own files
  std::vector<std::string> pod_ranges;
  std::vector<ComponentRef> components;       // versions and artifacts
};
// `slipwayctl node list --all` as one document.
struct NodeOverview {
  std::vector<NodeView> nodes;
  std::vector<PendingNodeView> pending;
  std::vector<JoinAttempt> joins;
};

}  // namespace slipway::proto
