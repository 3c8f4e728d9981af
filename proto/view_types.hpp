#pragma once
// What operators see and ask for: plain structs of the wire (proto/fields.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/report_types.hpp"

namespace slipway::proto {

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
  std::string settings_message = {};  // why it waits or has failed, as its agent says
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
