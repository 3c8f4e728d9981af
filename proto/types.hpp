#pragma once
// What travels between coordinator, agents and operators: plain structs. Names on the wire are in fields.hpp, the contract
// for others is openapi.json; a test holds the three against each other. Times are RFC 3339 text, durations "24h", keys and
// certificates PEM, digests lower-case hex.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/network_probe.hpp"
#include "proto/network_types.hpp"
#include "proto/settings_types.hpp"

namespace slipway::proto {

// ---- cluster -------------------------------------------------------------------------------------------------------
struct ClusterMetadata {
  std::string name;
  bool operator==(const ClusterMetadata&) const = default;
};
struct ApiServerSettings {
  std::string endpoint;  // https://MASTER_IP:6443
  bool operator==(const ApiServerSettings&) const = default;
};
struct CoordinatorSettings {
  std::vector<std::string> addresses;  // names and addresses for its certificate; the first is what agents are told
  std::uint64_t port = 7443;
  bool operator==(const CoordinatorSettings&) const = default;
};
struct Versions {
  std::string kubernetes;
  std::string etcd;
  std::string docker;
  std::string cni_plugins;
  std::string containerd = {};   // of runtime containerd; docker's artifact brings its own
  std::string runc = {};         // of runtime containerd
  std::string cri_dockerd = {};  // between docker and a kubelet of 1.24 or newer
  bool operator==(const Versions&) const = default;
};
struct KubeletSettings {
  std::uint64_t max_pods = 110;
  std::string pod_infra_container_image;
  RawJson config;  // merged over the rendered KubeletConfiguration
  std::vector<std::string> extra_args;
  bool operator==(const KubeletSettings&) const = default;
};
struct RawConfig {
  RawJson config;
  bool operator==(const RawConfig&) const = default;
};
struct CertificateSettings {
  std::string node_ttl = "24h";      // client certificates of nodes and of the control plane
  std::string serving_ttl = "168h";  // serving certificates: kubelet 1.20 reads them only at its start
  std::string admin_ttl = "12h";      // kubeconfigs: kube-apiserver takes them until their end, whatever happens
  std::string operator_ttl = "720h";  // operators' certificates for the coordinator, which asks itself at each request whether they count
  double renew_at = 0.667;           // fraction of the life after which a certificate is renewed
  bool operator==(const CertificateSettings&) const = default;
};
// Where programs come from, and whose word is needed for them.
struct ArtifactSettings {
  std::vector<std::string> signers;  // Ed25519 keys, base64; not empty: agents install only what a manifest signed by these names
  std::uint64_t threshold = 1;       // so many of them
  std::vector<std::string> mirrors;  // https://HOST[:PORT][/PATH], asked before the coordinator for PATH/sha256/<digest>
  std::string mirror_ca;             // PEM: what the mirrors' certificates end in; empty: what the host's own list says
  bool operator==(const ArtifactSettings&) const = default;
};
struct ClusterSpec {
  ClusterMetadata metadata;
  ApiServerSettings api_server;
  CoordinatorSettings coordinator;
  NetworkSettings network;
  std::string runtime = "docker";
  Versions versions;
  KubeletSettings kubelet;
  ComponentSettings kube_proxy;
  RawConfig docker;
  CertificateSettings certificates;
  std::string admission = "token";  // token: a valid token is enough; manual: an operator approves each node
  std::map<std::string, std::optional<std::string>> node_labels = {};  // of every node; so are the taints
  std::vector<std::string> node_taints = {};
  std::vector<NodeGroup> node_groups = {};
  RolloutSettings rollout = {};
  RawConfig containerd = {};
  ArtifactSettings artifacts = {};
  bool operator==(const ClusterSpec&) const = default;
};
struct ClusterCapacity {
  std::uint64_t max_nodes = 0;
  std::uint64_t nodes = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t pods_per_node = 0;
  std::uint64_t services = 0;
};
struct ClusterView {
  std::string id;
  std::string epoch;
  std::uint64_t revision = 0;
  std::string ca_sha256;  // pin of the fabric CA, as in join tokens
  ClusterSpec spec;
  ClusterCapacity capacity;
  std::uint64_t desired_revision = 0;  // of the last change that agents must see; what they report as applied; 0: not told
  std::optional<RolloutView> rollout = {};
};

// ---- joining -------------------------------------------------------------------------------------------------------
struct NodeFacts {
  std::string machine_id;
  std::string os;
  std::string kernel;
  std::string architecture;
  std::uint64_t cpus = 0;
  std::uint64_t memory_bytes = 0;
  std::string agent_version;
  std::vector<std::string> host_routes = {};  // "172.17.0.0/16 dev docker0": what the host has beside the cluster's, without default routes
  std::string product_uuid = {};              // of the machine's firmware, lower case; empty: not known, or a container
  std::uint64_t pod_mtu = 0;  // what the interface with the node's address and the backend leave for pods; 0: not known, or not ours to set
  bool operator==(const NodeFacts&) const = default;
};
struct JoinRequest {
  std::string token;  // "id.secret"; empty when the identity key is known already
  std::string node_name;
  std::string role = "node";
  std::string address;  // the node's own address on the node network
  NodeFacts facts;
  std::map<std::string, std::string> csrs;  // usage -> PEM
};
struct JoinReply {
  std::string cluster_name;
  std::string cluster_id;
  std::string node_name;
  std::string node_uid;
  std::uint64_t generation = 0;
  std::string role;
  std::string address;
  std::string pod_cidr;
  std::map<std::string, std::string> certificates;  // usage -> PEM
  std::map<std::string, std::string> ca_bundles;    // CA kind -> PEM
  double renew_at = 0.667;
};
struct RenewRequest {
  std::map<std::string, std::string> csrs;
  // Where the node is now, when that is not its registered address any more: it moves. Since 0.2, absent: it stays.
  std::optional<std::string> address = {};
};
struct RenewReply {
  std::map<std::string, std::string> certificates;
  std::map<std::string, std::string> ca_bundles;
  std::optional<std::string> address = {};  // as registered now, when the request named one; absent from coordinators that know no moves
};
// What masters share: travels over mutual TLS to agents of masters only.
struct MasterSecrets {
  std::string service_account_key;  // PEM, PKCS#8
};
struct JoinAttempt {
  std::string time;
  std::string node_name;
  std::string address;
  std::string token_id;
  bool accepted = false;
  std::string reason;       // the true one; the caller got a uniform refusal
  std::string stage = {};   // how far it came: request, limits, csr, address, token, name, place, block, approval, ...
  std::string cure = {};    // what an operator can do; empty when accepted
  std::uint64_t count = 1;  // the same attempt again and again is one entry with the time of the last
};
struct JoinAttemptList {
  std::vector<JoinAttempt> items;
  std::string next = {};  // pass as ?continue=; so are those of all lists
};
// A host with a valid token that an operator has to decide on (admission: manual), or has decided on.
struct PendingNodeView {
  std::string name;
  std::string role;
  std::string address;
  std::string fingerprint;  // SHA-256 of the public key (SPKI) of its agent
  std::string state;        // waiting, approved, denied
  std::string since;
  std::string token_id;
  std::string pool;
  NodeFacts facts;          // the host's own word
  std::string decided_at;   // empty: not yet
  std::string decided_by;
  std::string reason;       // of a denial
};
struct PendingNodeList {
  std::vector<PendingNodeView> items;
  std::string next = {};
};
struct ApproveRequest {
  std::string fingerprint;  // only the host with this key (or a beginning of at least 8 digits); empty: who waits
};
struct DenyRequest {
  std::string reason;  // told to the host
};
struct ReplaceRequest {
  std::string ttl = "24h";  // of the token for the host that takes the node's place
};

// ---- what agents bring about ---------------------------------------------------------------------------------------
struct ArtifactRef {
  std::string sha256;
  std::uint64_t size = 0;
  std::string format = "file";  // file | tar
  bool operator==(const ArtifactRef&) const = default;
};
struct ComponentRef {
  std::string name;
  std::string version;
  std::string role = "node";               // node: on every host; master: on masters only
  std::optional<ArtifactRef> artifact;     // absent: not imported yet
  bool operator==(const ComponentRef&) const = default;
};
struct PeerNode {
  std::string name;
  std::string uid;
  std::uint64_t generation = 0;
  std::string role;
  std::string address;
  std::string pod_cidr;
  // Its certificates that begin before this instant are to be renewed; since 0.3, absent: none are.
  std::optional<std::string> renew_before = {};
  std::optional<std::string> second_pod_cidr =
      {};  // its block of the other family; since 0.4, absent: there is none
  bool operator==(const PeerNode&) const = default;
};
// What agents must trust and be signed by, for one kind of CA. Small on purpose: the bundle itself is fetched when its digest is
// not the stored one's.
struct CaRef {
  std::string kind;           // "fabric", "kubeClient", ...
  std::string bundle_sha256;  // of the bundle's text
  std::string key_id;         // hex, subject key identifier of the CA that signs: a certificate from another is renewed
  bool operator==(const CaRef&) const = default;
};
// One document for all agents, encoded once; a node finds itself among the nodes by uid.
struct DesiredState {
  std::string epoch;
  std::uint64_t revision = 0;
  ClusterSpec cluster;
  std::vector<ComponentRef> components;
  std::vector<PeerNode> nodes;
  std::vector<std::string> pod_ranges = {};  // of all pools, the default pool's first; empty: podCIDR alone
  std::vector<CaRef> cas = {};               // since 0.2; a kind that is missing is not watched
  std::map<std::string, NodeOverrides> overrides = {};  // node name -> what is for it alone; since 0.3
  std::string artifact_manifest = {};        // since 0.3; signed, the agent checks it itself; empty: there is none
  // Since 0.4, absent from coordinators that know no changes: what is told of each node (k_desired_form), and nodes_mark.hpp's words.
  std::optional<std::uint64_t> form = {};
  std::optional<std::uint64_t> node_count = {};
  std::optional<std::string> nodes_hash = {};
};
// Rises when more is told of what has not changed, such as a new field of PeerNode: who has a document of an older form asks for a whole
// one, for changes alone would never bring it.
inline constexpr std::uint64_t k_desired_form = 1;
// Accept and Content-Type of a DesiredDelta; a DesiredState is application/json.
inline constexpr const char* k_delta_type = "application/vnd.slipway.desired-delta+json";
// A node that is no more. It goes only if it is this generation that is known.
struct GoneNode {
  std::string uid;
  std::uint64_t generation = 0;
  std::vector<std::string> pod_cidrs;  // that it had
  bool operator==(const GoneNode&) const = default;
};
// What became other between two revisions, one entry for each node however often it changed. First the gone ones go, then the others are
// put in the place of what is known by their uid. Absent parts of the settings are as they were. Since 0.4.
struct DesiredDelta {
  std::string epoch;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t form = 0;     // as of DesiredState
  std::uint64_t pace_ms = 0;  // not to ask again before
  std::uint64_t node_count = 0;  // both of all nodes, when the changes are made
  std::string nodes_hash;
  std::vector<PeerNode> up = {};
  std::vector<GoneNode> del = {};
  std::map<std::string, NodeOverrides> up_overrides = {};  // by name, of those in `up`; missing there: it has none
  std::optional<ClusterSpec> cluster = {};
  std::optional<std::vector<ComponentRef>> components = {};
  std::optional<std::vector<std::string>> pod_ranges = {};
  std::optional<std::vector<CaRef>> cas = {};
  std::optional<std::map<std::string, NodeOverrides>> overrides = {};  // of all nodes
  std::optional<std::string> artifact_manifest = {};
};
struct CaBundles {
  std::map<std::string, std::string> ca_bundles;  // CA kind -> PEM
};

// ---- what agents report --------------------------------------------------------------------------------------------
struct Condition {
  std::string type;    // Installed, NetworkReady, ComponentsRunning, CertificatesValid, AsWritten
  bool ok = false;
  std::string reason;  // one word
  std::string message;
  bool operator==(const Condition&) const = default;
};
// How a component's process ended. Since 0.2.
struct ComponentEnd {
  std::string at;      // empty: not known
  std::string reason;  // exited, signal, core-dump, oom-kill, watchdog, timeout, start-limit
  std::optional<std::uint64_t> exit_code = {};
  std::string signal = {};                // SIGKILL
  std::vector<std::string> lines = {};    // its last words in the log, at most 20, oldest first
  bool operator==(const ComponentEnd&) const = default;
};
struct ComponentStatus {
  std::string name;
  std::string version;
  std::string state;  // installing, starting, running, stopped, failed, crash-loop, waiting
  std::uint64_t restarts = 0;
  std::uint64_t pid = 0;
  std::string message;
  // Since 0.2; absent: not known.
  std::string since = {};            // when it came into this state
  std::uint64_t starts = 0;          // of its process, since its unit was started: the first one and the restarts
  std::uint64_t pause_seconds = 0;   // between an end and the next start, while it crash-loops
  std::vector<ComponentEnd> ends = {};  // newest first; one at most, none while it never ended. A list, because most nodes then pay for a pointer only
  bool operator==(const ComponentStatus&) const = default;
};
struct CertificateStatus {
  std::string usage;
  std::string serial;
  std::string not_after;
  bool operator==(const CertificateStatus&) const = default;
};
struct NodeStatusReport {
  std::string phase;  // Joining, Installing, Configuring, Starting, Running, Degraded
  std::uint64_t applied_revision = 0;
  std::vector<Condition> conditions;
  std::vector<ComponentStatus> components;
  std::vector<CertificateStatus> certificates;
  NodeFacts facts;
  std::string last_error;
  std::map<std::string, std::string> ca_bundles;  // CA kind -> SHA-256 of the bundle in use; since 0.2, absent: does not tell
  std::optional<SettingsStatus> settings = {};    // since 0.3, absent: does not tell
  bool operator==(const NodeStatusReport&) const = default;
};

// ---- what operators see --------------------------------------------------------------------------------------------
struct NodeView {
  std::string name;
  std::string uid;
  std::uint64_t generation = 0;
  std::string role;
  std::string address;
  std::string pod_cidr;
  std::string phase;
  std::string joined_at;
  std::string token_id;
  std::string last_contact;  // empty: not since the coordinator's start
  bool pod_cidr_published = false;  // stands in Node.spec.podCIDR
  std::uint64_t applied_revision = 0;
  std::vector<Condition> conditions;
  std::vector<ComponentStatus> components;
  std::vector<CertificateStatus> certificates;
  NodeFacts facts;
  std::string last_error;
  std::map<std::string, std::string> labels;  // what ?labelSelector= looks at
  std::string pool;  // that its token named; empty: by the pools' selectors
  std::vector<std::string> pod_cidrs = {};  // podCIDR and, in a dual-stack cluster, the block of the other family
  bool unschedulable = false;     // an operator wants no new pods on it (cordon)
  std::string renew_before = {};  // certificates that begin before this are being renewed; empty: none are
  std::string settings = {};      // how far it is with its settings: applied, waiting, restarting, failed; empty: not told
};
struct NodeList {
  std::vector<NodeView> items;
  std::string next;  // pass as ?continue=
};
// A block that is kept out of allocation.
struct Reservation {
  std::string block;
  std::string node;       // gets it when it joins; empty: nobody does
  bool imported = false;  // stood in Node.spec.podCIDRs before Slipway came
  bool in_use = false;    // the node lives with it
  std::string note;
  std::string since;
};
struct ReservationRequest {
  std::string block;
  std::string node;
  std::string note;
};
struct PoolTenant {
  std::string node;
  std::string block;
};
struct PoolView {
  std::string name;
  std::vector<std::string> ranges;
  std::uint64_t node_prefix_length = 0;
  std::string role;
  std::string name_pattern;
  bool only_by_name = false;
  bool draining = false;
  std::uint64_t capacity = 0;     // blocks of nodePrefixLength in all its ranges
  std::uint64_t available = 0;    // such blocks that could be given out now
  std::uint64_t allocated = 0;    // blocks of nodes, of any size; so are the next two
  std::uint64_t reserved = 0;
  std::uint64_t quarantined = 0;
  double used_percent = 0;        // of the addresses: what cannot be given out now
  std::string level;              // ok, warning from 80 %, critical from 95 %
  std::string exhausted_at;       // if use goes on as in the last days; empty: not in sight
  std::uint64_t largest_free = 0; // prefix length; 0: nothing is free
  std::vector<Reservation> reservations;
};
struct PoolList {
  std::vector<PoolView> items;
  std::string next = {};
};
struct PoolTenantList {
  std::vector<PoolTenant> items;
  std::string next = {};
};
struct PoolGrowRequest {
  std::vector<std::string> ranges;       // new ones, or ones that contain a range of the pool and take its place
  std::uint64_t node_prefix_length = 0;  // of blocks given out from now on; 0: as before
};
struct PoolDrainRequest {
  bool draining = true;  // false: gives out blocks again
};
struct TokenRequest {
  std::string ttl = "24h";
  std::uint64_t max_uses = 1;
  std::string role = "node";
  std::string node;  // only for this node name, or a pattern such as web-*; empty: any
  std::string pool = {};                  // pool of pod ranges for the nodes that it admits
  std::vector<std::string> sources = {};  // ranges that nodes must come from; empty: anywhere
};
struct TokenReply {
  std::string id;
  std::string token;  // whole, with the CA pin; shown once
  std::string expires_at;
  std::string join_command;
};
// The node's old identity is dead from now on; the token is for the host that takes its name and its pod range.
struct ReplaceReply {
  std::string node_name;
  std::uint64_t generation = 0;  // that the next join of the name will have
  std::string pod_cidr;          // kept for it
  TokenReply token;
};
struct TokenView {
  std::string id;
  std::string role;
  std::string node;
  std::uint64_t uses = 0;
  std::uint64_t max_uses = 0;
  std::string created_at;
  std::string expires_at;
  std::string state;  // valid, expired, used-up
  std::string pool = {};
  std::vector<std::string> sources = {};
};
struct TokenList {
  std::vector<TokenView> items;
  std::string next = {};
};
struct Artifact {
  std::string component;
  std::string version;
  std::string format = "file";
  std::string sha256;
  std::uint64_t size = 0;
  std::string imported_at;
};
// The signed list of what may be installed; its form: proto/artifact_manifest.hpp.
struct ManifestUpload {
  std::string text;
};
struct ManifestView {
  std::uint64_t number = 0;
  std::string expires_at;
  std::vector<std::string> signed_by;  // key ids of good signatures by the cluster's signers
  std::uint64_t artifacts = 0;         // how many it names
  std::string text;                    // as it was signed
};
struct CollectRequest {
  std::string min_age = "1h";  // content that came later is left: its registration may be on the way
  bool dry_run = false;
};
struct CollectedBlob {
  std::string sha256;
  std::uint64_t size = 0;
};
struct CollectReply {
  std::vector<CollectedBlob> removed;
  std::uint64_t bytes = 0;
  bool dry_run = false;
};
struct ArtifactList {
  std::vector<Artifact> items;
  std::string next = {};
};
struct CertificateView {
  std::string node;  // or the operator's or component's name
  std::string usage;
  std::string serial;
  std::string not_before;
  std::string not_after;
  std::string sha256;
};
struct CertificateList {
  std::vector<CertificateView> items;
  std::string next;
};
// One certificate authority.
struct CaCertificateView {
  std::uint64_t number = 0;  // 1 is the one of init
  std::string subject;
  std::string sha256;        // of the DER
  std::string not_before;
  std::string not_after;
};
// A kind of CA and how far its replacement is.
struct CaView {
  std::string kind;
  std::string phase;                       // stable, distributing, replacing, reverting
  CaCertificateView signing;
  std::optional<CaCertificateView> other;  // the coming one, or the one on its way out
  std::string bundle_sha256;
  std::string changed_at;
  std::vector<std::string> waiting_for;    // nodes that have not confirmed the bundle
  std::vector<std::string> held_by;        // what still depends on `other`, while it is on its way out
  std::string next;                        // what the operator does now
};
struct CaList {
  std::vector<CaView> items;
};
struct CaChangeRequest {
  std::string action;    // prepare, activate, retire, abort
  bool force = false;    // retire: although certificates or tokens depend on it
  bool from_files = false;  // prepare: from the coordinator's import folder instead of a new key
};
struct KubeconfigRequest {
  std::string csr;
  std::string user = "admin";
};
struct KubeconfigReply {
  std::string cluster_name;
  std::string server;
  std::string ca_certificate;
  std::string certificate;
  std::string not_after;
};
// People who ask this API, by certificate.
struct OperatorRequest {
  std::string csr;
  std::string user;
  std::string role = "viewer";  // viewer, operator, admin
};
struct OperatorReply {
  std::string cluster_name;
  std::string server;
  std::string ca_certificate;
  std::string certificate;
  std::string role;
  std::string not_after;
};
struct OperatorView {
  std::string user;
  std::string role;
  std::string serial;
  std::string not_before;
  std::string not_after;
};
struct OperatorList {
  std::vector<OperatorView> items;
  std::string next = {};
};
struct HealthCheck {
  std::string name;
  bool ok = false;
  std::string message;
  std::string cure;
  bool warning = false;  // with ok: nothing has failed, but the message names what will, and its cure
};
struct HealthReport {
  bool ok = false;
  std::vector<HealthCheck> checks;
};
struct VersionInfo {
  std::string version;
  std::string api_version = "v1";
};
// RFC 9457.
struct Problem {
  std::string type = "about:blank";
  std::string title;
  std::uint64_t status = 0;
  std::string detail;
  std::string code;  // stable, for programs: problem_codes()
  std::optional<std::string> pointer = {};    // JSON pointer (RFC 6901) to the field of the body at fault; the first of several
  std::optional<std::string> parameter = {};  // of the path or the query, when that is at fault
};

}  // namespace slipway::proto
