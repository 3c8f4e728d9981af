#pragma once
// The operations' way to write: keeps the indexes of State in step and notes every change for the store. For operations.cpp and
// state.cpp only.
#include <string>
#include <utility>
#include <vector>

#include "coordinator/domain/state.hpp"

namespace slipway {

class StateEditor {
 public:
  // Both outlive the editor. Nothing is checked here: the operation has done so.
  StateEditor(State& state, std::vector<Change>& changes) : state_(state), changes_(changes) {}

  void put_identity(ClusterIdentity identity);
  void put_cluster(ValidatedCluster cluster);
  CidrLedger& ledger() { return state_.ledger_; }
  void put_pool(const PoolRecord& pool) { note(pool); }  // stands in the ledger already; so do holds
  void erase_pool(const std::string& name);
  void put_hold(const BlockHold& hold) { note(hold); }
  void erase_hold(const Cidr& block) { erase(RecordKind::hold, block.to_string()); }
  void put_history(PoolHistory history);
  void set_nodes_imported() { state_.counters_.nodes_imported = true; }  // stored by finish()
  void set_pod_mtu_limit(std::uint32_t limit);  // stored by finish(), which has to tell agents
  void put_quarantined(const QuarantinedBlock& block) { note(block); }
  void erase_quarantined(const Cidr& prefix) { erase(RecordKind::quarantined, prefix.to_string()); }
  void put_node(Node node);
  void restore_node(Node node) { state_.nodes_.load(std::move(node)); }  // from the store
  void erase_node(const std::string& name);
  void put_tombstone(Tombstone tombstone);
  void put_pending(PendingNode node);
  void erase_pending(const std::string& name);
  void put_token(JoinToken token);
  void erase_token(const std::string& id);
  // Errc::invalid, nothing changed: its texts are not hex. The operations have asked PackedCertificate before.
  Status put_certificate(CertificateRecord record);
  Status restore_certificate(const CompactCertificate& certificate);  // from the store
  void put_pem(CertificatePem pem) { note(std::move(pem)); }
  void erase_certificate(const std::string& serial);  // and its revocation
  void put_revocation(Revocation revocation);
  void put_artifact(proto::Artifact artifact);
  void erase_artifact(const std::string& component, const std::string& version);
  void put_manifest(ArtifactManifestRecord manifest);
  void put_ca(CaLine line);
  void put_counters(Counters counters);
  // One revision an operation; call last. `desired`: agents must see it.
  void finish(bool desired);
  std::uint64_t next_revision() const { return state_.counters_.revision + 1; }

 private:
  void note(Record record) {
    note_parts(kind_of(record));
    changes_.push_back(PutRecord{std::move(record)});
  }
  void raise_floor(WallTime not_before);  // stored by finish()
  void erase(RecordKind kind, std::string key) {
    note_parts(kind);
    changes_.push_back(EraseRecord{kind, std::move(key)});
  }
  // Which parts of the desired state a record of this kind may change.
  void note_parts(RecordKind kind);

  State& state_;
  std::vector<Change>& changes_;
};

}  // namespace slipway
