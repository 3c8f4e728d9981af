#pragma once
// Every change of the state. Pure, deterministic: time, random ids and certificates come in. All or nothing.
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/domain/admission.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

// Errc::conflict when there is a cluster.
struct InitCluster {
  proto::ClusterSpec spec;
  ClusterIdentity identity;
};
// Errc::invalid or Errc::conflict, see cluster_spec.hpp.
struct ApplyCluster {
  proto::ClusterSpec spec;
  std::vector<OccupiedRange> host_routes = {};  // as live nodes report them
};
// Errc::conflict when the id is taken.
struct CreateToken {
  JoinToken token;
};
struct DeleteToken {
  std::string id;
};

struct IssuedCertificate {
  CertificateRecord record;
  std::string pem;
  std::vector<std::string> names = {};  // its subject alternative names, for the audit log
};

// Token use, node, block and certificates in one. `certificates` is empty for AdmissionKind::same_certificates. What the
// certificates were made for (uid, generation) must be what the state still says, else Errc::conflict: try again.
struct AdmitNode {
  AdmissionRequest request;
  AdmissionKind kind = AdmissionKind::new_node;
  std::string uid;
  std::uint64_t generation = 1;
  std::vector<IssuedCertificate> certificates;
};

// New certificates for a live node that showed `presented_serial` over mutual TLS, and with them its new address when it has moved: the
// certificate in which the address stands is among them then. Errors of check_move(); Errc::conflict when certificates were made for an
// address that is not the node's any more: try again.
struct RecordRenewal {
  std::string uid;
  std::uint64_t generation = 0;
  std::string presented_serial;
  std::vector<IssuedCertificate> certificates;
  WallTime now{};
  std::optional<IpAddress> address = {};  // the one it has moved to; absent: it stays
};

// Certificates of operators and of the coordinator itself.
struct RecordCertificate {
  IssuedCertificate certificate;
};

// Ends all certificates of this person, here at once. kube-apiserver asks nobody: there a kubeconfig's opens until its end, so the
// records stay, for the lists of what is revoked. Errc::not_found when none is left to revoke.
struct RevokeOperator {
  std::string user;
  WallTime now{};
};

// Block into quarantine, identity dead, name tombstoned. Errc::not_found.
struct DeleteNode {
  std::string name;
  WallTime now{};
};

// The same again changes nothing; another digest for the same component and version is Errc::conflict.
struct PutArtifact {
  proto::Artifact artifact;
};

// Its name is free again; the content goes with the next collection when nothing else names it. Errc::not_found; Errc::conflict
// while the cluster's settings ask for this version.
struct DeleteArtifact {
  std::string component;
  std::string version;
};

// `manifest` was checked by the caller. The same again changes nothing; Errc::conflict for an older number, or the same with
// another text: agents would refuse it.
struct PutManifest {
  ArtifactManifestRecord manifest;
};

// Housekeeping: matured blocks are free again; tokens and certificates whose end is past by `keep` are forgotten, and pending
// nodes that came or were decided on before that.
struct Sweep {
  Maturity maturity;
  Seconds keep{7 * 86400};
  std::uint32_t pod_mtu_limit = 0;  // as it is now (pod_mtu.hpp)
};

// A host whose admission is AdmissionKind::wait: token use and the record of who waits in one; for a host that waits
// already nothing but a changed address. Errc::conflict: try again.
struct QueueNode {
  AdmissionRequest request;
};

// An operator's word on a waiting host; may be changed until the host has joined. `fingerprint`: only for this key (or a
// beginning of at least 8 digits); empty: for who waits. Errc::not_found, Errc::conflict for another key.
struct DecideNode {
  std::string name;
  bool approve = false;
  std::string fingerprint;
  std::string reason;  // of a denial, told to the host
  std::string by;
  WallTime now{};
};

// The node's identity is dead at once; its name, role, pool and block are kept for the host that joins next under the name,
// with `token` or another valid one, or with an approved key. Repeated: another token.
struct ReplaceNode {
  std::string name;
  JoinToken token;  // its node, role and pool are set from the node
};

// An operator's wish about new pods, and whether it is taken back. As it is already: changes nothing. Errc::not_found.
struct CordonNode {
  std::string name;
  bool unschedulable = true;
};

// The node's certificates that begin before `before` are to be renewed now; it hears of it with the next desired state. An
// earlier mark than the one that stands changes nothing. Errc::not_found.
struct RotateCertificates {
  std::string name;  // empty: of all nodes
  WallTime before{};
};

// An operator's settings for this node alone, in the place of those before. Errc::not_found; Errc::invalid with all problems.
struct SetNodeSettings {
  std::string name;
  proto::NodeSettings settings;
};
// What we have set on the Node object, or are about to: what of it is no longer wanted is ours to take away. Errc::not_found when
// another registration has the name.
struct RecordMarks {
  std::string uid;
  std::vector<std::string> labels;  // keys
  std::vector<std::string> taints;  // "key:Effect"
};

// ---- pools. Errors: Errc::not_found (no such pool), Errc::invalid (shape), Errc::conflict with the owner of the addresses named.
struct CreatePool {
  PoolRecord pool;                         // checked with pool_problems(); its order is given here
  std::vector<OccupiedRange> host_routes;  // as live nodes report them
};
// New ranges, or wider ones in the place of those that they contain; another size of blocks from now on. Who has a block keeps it.
struct GrowPool {
  std::string name;
  std::vector<Cidr> ranges;
  std::optional<int> node_prefix_length;
  std::vector<OccupiedRange> host_routes;
};
struct DrainPool {
  std::string name;
  bool draining = true;
};
struct DeletePool {
  std::string name;
};
struct HoldBlock {
  std::string pool;  // where the block is thought to lie; empty: anywhere
  BlockHold hold;
};
struct ReleaseHold {
  std::string pool;
  Cidr block;
};
struct ImportedNode {
  std::string name;
  std::vector<std::string> pod_cidrs;  // as they stand in the Node object
};
// Blocks of Node objects that are not ours are kept for those names. Outcome::notes says what could not be.
struct ImportNodes {
  std::vector<ImportedNode> nodes;
  WallTime now{};
};
// A sample of each pool's use for the forecast, when it is time for one.
struct SamplePools {
  WallTime now{};
};

// A step in the life of a kind of CA; what each asks for and does: ca_rotation.hpp. Errc::not_found for a kind not adopted,
// Errc::conflict when the step is not the next one or is held up, with who holds it.
struct ChangeCa {
  CaKind kind = CaKind::fabric;
  CaStep step = CaStep::adopt;
  CaFacts facts;                   // adopt: the CA of init; prepare: the coming one
  std::string bundle_sha256;       // adopt, prepare, abort, retire: of the bundle as it will be
  std::set<std::string> confirmed; // activate: uids of nodes that use the bundle
  std::set<std::string> reported;  // retire: serials that agents say they use
  bool force = false;              // retire
  WallTime now{};
};

using Operation = std::variant<InitCluster, ApplyCluster, CreateToken, DeleteToken, AdmitNode, RecordRenewal,
                               RecordCertificate, DeleteNode, PutArtifact, Sweep, RevokeOperator, QueueNode, DecideNode, ReplaceNode,
                               CreatePool, GrowPool, DrainPool, DeletePool, HoldBlock, ReleaseHold, ImportNodes, SamplePools, ChangeCa, CordonNode, RotateCertificates,
                               SetNodeSettings, RecordMarks,
                               DeleteArtifact, PutManifest>;

struct Outcome {
  bool changed = false;
  std::uint64_t revision = 0;  // of the state that holds the outcome
  std::optional<Node> node;    // DeleteNode: as it was; all others about one node: as it is now
  std::optional<PendingNode> pending = {};  // QueueNode, DecideNode: as it is now
  // ImportNodes: blocks that could not be kept, a line each. RecordRenewal: where a node that moved was. AdmitNode: blocks that had to be given out before their rest was over.
  std::vector<std::string> notes = {};
  std::uint64_t count = 0;              // RotateCertificates: nodes that it is about
  WallTime renew_before = {};           // RotateCertificates: as it asked
};

// On success `changes` gets the records to store, in order; on an error neither it nor the state changed.
Result<Outcome> apply(State& state, const Operation& operation, std::vector<Change>& changes);

}  // namespace slipway
