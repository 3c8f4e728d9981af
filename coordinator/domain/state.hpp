#pragma once
// All facts of a coordinator as one value. Changed only by operations (operations.hpp), read on the state thread.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/ca_rotation.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/domain/certificate_ledger.hpp"
#include "coordinator/domain/cidr_ledger.hpp"
#include "coordinator/domain/cluster_spec.hpp"
#include "coordinator/domain/join_token.hpp"
#include "coordinator/domain/node_table.hpp"
#include "coordinator/domain/pool_forecast.hpp"
#include "proto/cluster_types.hpp"
#include "proto/report_types.hpp"
#include "proto/view_types.hpp"

namespace slipway::proto {

// For State's own comparison; the wire needs none.
inline bool operator==(const Artifact& a, const Artifact& b) {
  return a.component == b.component && a.version == b.version && a.format == b.format && a.sha256 == b.sha256 && a.size == b.size &&
         a.imported_at == b.imported_at;
}

}  // namespace slipway::proto

namespace slipway {

struct ClusterIdentity {
  std::string id;     // UUID, once
  std::string epoch;  // UUID, is another when history is not continuous; nothing makes a new one yet (docs/day-2.md, Restoring)
  WallTime created_at{};
  bool operator==(const ClusterIdentity&) const = default;
};

// revision counts changes of any kind, desired_revision is the revision of the last one that agents must see.
struct Counters {
  std::uint64_t revision = 0;
  std::uint64_t desired_revision = 0;
  bool nodes_imported = false;  // the Node objects that were there before us have been read (ImportNodes)
  // The latest NotBefore of all certificates that were ever recorded, also of those that are forgotten: the clock was there once.
  WallTime clock_floor{};
  std::uint32_t pod_mtu_limit = 0;  // pod_mtu.hpp
  bool operator==(const Counters&) const = default;
};

// A host that has shown a valid token and is an operator's to decide on. Its token use is counted already.
struct PendingNode {
  enum class Decision { waiting, approved, denied };
  std::string name;
  NodeRole role = NodeRole::node;
  IpAddress address;
  std::string machine_id;
  std::string fingerprint;  // SPKI SHA-256 (hex) of its agent key
  std::string token_id;
  std::string pool;
  proto::NodeFacts facts;  // its own word
  WallTime since{};
  Decision decision = Decision::waiting;
  WallTime decided_at{};
  std::string decided_by;
  std::string reason;  // of a denial
  bool operator==(const PendingNode&) const = default;
};
std::string_view to_string(PendingNode::Decision decision);  // "waiting", "approved", "denied"
std::optional<PendingNode::Decision> pending_decision_from_string(std::string_view text);

// How full a pool was lately, for the forecast.
struct PoolHistory {
  std::string pool;
  std::vector<PoolSample> samples;
  bool operator==(const PoolHistory&) const = default;
};

// What is left of a deleted node: its name's count goes on and its keys stay dead.
struct Tombstone {
  std::string name;
  std::string uid;
  std::uint64_t generation = 0;
  std::string identity;
  std::string previous_identity;
  WallTime deleted_at{};
  bool operator==(const Tombstone&) const = default;
};

// Certificate text on its way to the store.
struct CertificatePem {
  std::string serial;
  std::string pem;
  bool operator==(const CertificatePem&) const = default;
};

// A person's certificate that was taken back before its end. Its record stays until it ends: others take it until then.
struct Revocation {
  std::string serial;
  WallTime at{};
  bool operator==(const Revocation&) const = default;
};

// The newest signed list of what agents may install (proto/artifact_manifest.hpp), as the operator signed it.
struct ArtifactManifestRecord {
  std::uint64_t number = 0;
  std::string text;
  bool operator==(const ArtifactManifestRecord&) const = default;
};

// The records that make up the state, each put and erased by its key. Leases of pod blocks stand in the nodes.
using Record = std::variant<ClusterIdentity, Counters, proto::ClusterSpec, Node, Tombstone, JoinToken, QuarantinedBlock,
                            CertificateRecord, CertificatePem, proto::Artifact, PendingNode, PoolRecord, BlockHold, PoolHistory, CaLine, Revocation,
                            ArtifactManifestRecord>;
enum class RecordKind { identity, counters, spec, node, tombstone, token, quarantined, certificate, pem, artifact, pending, pool, hold, history, ca, revocation, manifest };
static_assert(std::variant_size_v<Record> == static_cast<std::size_t>(RecordKind::manifest) + 1);

struct PutRecord {
  Record record;
};
struct EraseRecord {
  RecordKind kind;
  std::string key;  // as key_of() of the record
};
using Change = std::variant<PutRecord, EraseRecord>;
std::string key_of(const Record& record);
inline RecordKind kind_of(const Record& record) { return static_cast<RecordKind>(record.index()); }

std::string artifact_key(const std::string& component, const std::string& version);  // "kubelet/1.20.2"

// Takes what a store holds. A start reads a million certificates: they have a way of their own, without a record for each.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual Status record(const Record& record) = 0;
  virtual Status certificate(const CompactCertificate& certificate) = 0;
};

// Of a cluster with these settings, pools and as many nodes.
proto::ClusterCapacity capacity_with(const ValidatedCluster& cluster, const CidrLedger& ledger, std::size_t nodes);

class State {
 public:
  // From what the store holds; Errc::corrupt when records contradict each other (two nodes with one block). No records: an
  // empty state, of which has_cluster() is false.
  static Result<State> from_records(const std::vector<Record>& records);
  // The same, without a list of all: `source` gives the sink each record, the cluster specification first, then pools, then kept
  // blocks, then all others, and ends with the sink's first error or its own.
  static Result<State> from_source(const std::function<Status(RecordSink& sink)>& source);

  bool has_cluster() const { return cluster_.has_value(); }
  const ValidatedCluster& cluster() const { return *cluster_; }  // only when has_cluster()
  const ClusterIdentity& identity() const { return identity_; }
  std::uint64_t revision() const { return counters_.revision; }
  std::uint64_t desired_revision() const { return counters_.desired_revision; }
  std::uint32_t pod_mtu_limit() const { return counters_.pod_mtu_limit; }  // 0: none
  WallTime clock_floor() const { return counters_.clock_floor; }

  const std::map<std::string, Node>& nodes() const { return nodes_.by_name(); }
  const Node* node(const std::string& name) const { return nodes_.find(name); }
  const Node* node_by_uid(std::string_view uid) const { return nodes_.by_uid(uid); }
  const Node* node_by_address(const IpAddress& address) const { return nodes_.by_address(address); }
  const Node* node_by_machine_id(std::string_view machine_id) const { return nodes_.by_machine_id(machine_id); }
  // What agents are to be told of, in the order in which it changed.
  const ChangeHistory& history() const { return nodes_.history(); }
  // For the one writer: who has less than this revision is told everything.
  void forget_history(std::uint64_t up_to) { nodes_.history().raise_floor(up_to); }
  const std::map<std::string, Tombstone>& tombstones() const { return tombstones_; }  // by name, the last deletion
  const Tombstone* tombstone(const std::string& name) const;
  const std::map<std::string, PendingNode>& pending() const { return pending_; }  // by name
  const PendingNode* pending_node(const std::string& name) const;
  const std::map<std::string, JoinToken>& tokens() const { return tokens_; }  // by id
  const JoinToken* token(const std::string& id) const;
  const CertificateLedger& certificates() const { return certificates_; }  // by serial
  // Views as find() of the ledger.
  std::optional<CompactCertificate> certificate(std::string_view serial_hex) const { return certificates_.find(serial_hex); }
  std::optional<CompactCertificate> current_certificate(const Node& node, CertUsage usage) const;
  // When a person's certificate was taken back. Nodes' have no such mark: theirs count as long as the node says so.
  std::optional<WallTime> revoked_at(const CompactCertificate& certificate) const;
  const std::map<std::string, proto::Artifact>& artifacts() const { return artifacts_; }  // by artifact_key()
  const proto::Artifact* artifact(const std::string& component, const std::string& version) const;
  const std::optional<ArtifactManifestRecord>& artifact_manifest() const { return artifact_manifest_; }
  const std::map<CaKind, CaLine>& cas() const { return cas_; }
  const CaLine* ca(CaKind kind) const;  // null: its CA has not been taken into the state yet
  const CidrLedger& ledger() const { return ledger_; }
  const std::map<std::string, PoolHistory>& pool_histories() const { return pool_histories_; }  // by pool
  bool nodes_imported() const { return counters_.nodes_imported; }
  // The live node that has any of the block; for messages, it looks at all of them.
  const Node* node_with_block(const Cidr& block) const;
  proto::ClusterCapacity capacity() const;

  // The live node behind an agent certificate, or why it is not one: Errc::gone for a deleted or replaced node or an old generation,
  // Errc::denied for a serial that is neither current nor the one before, and for a certificate that has ended. Asked at every
  // request (T11): a connection may outlast the certificate that opened it.
  Result<const Node*> authenticate_agent(const std::string& uid, std::uint64_t generation, const std::string& serial, WallTime now) const;

  // Whether the certificate of a person with this serial still counts: Errc::denied when it was revoked, its record is gone (of
  // another history, or long over), names no such person, or has ended.
  Status authenticate_operator(const std::string& user, const std::string& serial, WallTime now) const;

  bool operator==(const State&) const = default;

 private:
  friend class StateEditor;  // the operations' way to write; nobody else has one
  std::optional<ValidatedCluster> cluster_;
  ClusterIdentity identity_;
  Counters counters_;
  NodeTable nodes_;
  std::map<std::string, Tombstone> tombstones_;
  std::map<std::string, PendingNode> pending_;
  std::map<std::string, JoinToken> tokens_;
  CertificateLedger certificates_;
  std::map<std::string, WallTime> revocations_;  // by serial
  std::map<std::string, proto::Artifact> artifacts_;
  CidrLedger ledger_;
  std::map<std::string, PoolHistory> pool_histories_;
  std::map<CaKind, CaLine> cas_;
  std::optional<ArtifactManifestRecord> artifact_manifest_;
};

}  // namespace slipway
