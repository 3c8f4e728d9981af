#include "coordinator/domain/state.hpp"

#include <algorithm>
#include <utility>

#include "coordinator/domain/state_editor.hpp"

namespace slipway {

namespace {

template <class Map, class Key>
const typename Map::mapped_type* find_in(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

struct KeyOf {
  std::string operator()(const ClusterIdentity&) const { return {}; }
  std::string operator()(const Counters&) const { return {}; }
  std::string operator()(const proto::ClusterSpec&) const { return {}; }
  std::string operator()(const Node& node) const { return node.name; }
  std::string operator()(const Tombstone& tombstone) const { return tombstone.name; }
  std::string operator()(const JoinToken& token) const { return token.id; }
  std::string operator()(const QuarantinedBlock& block) const { return block.prefix.to_string(); }
  std::string operator()(const CertificateRecord& record) const { return record.serial; }
  std::string operator()(const CertificatePem& pem) const { return pem.serial; }
  std::string operator()(const proto::Artifact& artifact) const { return artifact_key(artifact.component, artifact.version); }
  std::string operator()(const PendingNode& node) const { return node.name; }
  std::string operator()(const PoolRecord& pool) const { return pool.name; }
  std::string operator()(const BlockHold& hold) const { return hold.block.to_string(); }
  std::string operator()(const PoolHistory& history) const { return history.pool; }
  std::string operator()(const Revocation& revocation) const { return revocation.serial; }
  std::string operator()(const CaLine& line) const { return std::string(to_string(line.kind)); }
  std::string operator()(const ArtifactManifestRecord&) const { return {}; }
};

Error contradiction(const std::string& what) {
  return make_error(Errc::corrupt, "the stored records contradict each other: " + what + "; restore a backup");
}

// The order in which records must be loaded.
int rank_of(const Record& record) {
  if (std::holds_alternative<proto::ClusterSpec>(record)) return 0;
  if (std::holds_alternative<PoolRecord>(record)) return 1;
  return std::holds_alternative<BlockHold>(record) ? 2 : 3;
}

// Puts records read from the store into a state, in the order of rank_of().
class Loader final : public RecordSink {
 public:
  explicit Loader(State& state) : state_(state), editor_(state, ignored_) {}

  Status certificate(const CompactCertificate& certificate) override {
    const Status put = editor_.restore_certificate(certificate);
    return put ? Status{} : Status(contradiction(put.error().message));
  }
  Status record(const Record& record) override {
    const bool comes_before_blocks = std::holds_alternative<proto::ClusterSpec>(record) || std::holds_alternative<PoolRecord>(record);
    if (!comes_before_blocks && !std::exchange(pools_complete_, state_.has_cluster())) {
      if (const Status pools = default_pool(); !pools) return pools;
    }
    const Status loaded = std::visit(*this, record);
    // They came from the store: nothing is to be written.
    ignored_.clear();
    return loaded;
  }
  Status operator()(const proto::ClusterSpec& spec) {
    auto cluster = validate(brought_up_to_date(spec));
    if (!cluster) return contradiction("the cluster specification is not valid: " + cluster.error().message);
    editor_.put_cluster(std::move(*cluster));
    return {};
  }
  // Stores of before there were several pools have none: the settings describe it.
  Status default_pool() {
    if (!state_.has_cluster() || state_.ledger().pool(k_default_pool) != nullptr) return {};
    return (*this)(slipway::default_pool(state_.cluster()));
  }
  Status operator()(const PoolRecord& record) {
    const auto made = editor_.ledger().put_pool(record);
    return made ? Status{} : Status(contradiction("pool " + record.name + ": " + made.error().message));
  }
  Status operator()(const BlockHold& hold) {
    const auto kept = editor_.ledger().hold(hold, std::nullopt);
    return kept ? Status{} : Status(contradiction("kept block: " + kept.error().message));
  }
  Status operator()(const PoolHistory& history) { return editor_.put_history(history), Status{}; }
  Status operator()(const CertificatePem&) { return {}; }      // stays in the store
  Status operator()(const ClusterIdentity& identity) { return editor_.put_identity(identity), Status{}; }
  Status operator()(Counters counters) {
    counters.clock_floor = std::max(counters.clock_floor, state_.clock_floor());
    return editor_.put_counters(counters), Status{};
  }
  Status operator()(const Tombstone& tombstone) { return editor_.put_tombstone(tombstone), Status{}; }
  Status operator()(const PendingNode& node) { return editor_.put_pending(node), Status{}; }
  Status operator()(const JoinToken& token) { return editor_.put_token(token), Status{}; }
  Status operator()(const CertificateRecord& record) {
    const auto packed = PackedCertificate::of(record);
    return packed ? certificate(packed->view(record)) : Status(contradiction(packed.error().message));
  }
  Status operator()(const proto::Artifact& artifact) { return editor_.put_artifact(artifact), Status{}; }
  Status operator()(const Revocation& revocation) { return editor_.put_revocation(revocation), Status{}; }
  Status operator()(const CaLine& line) { return editor_.put_ca(line), Status{}; }
  Status operator()(const ArtifactManifestRecord& manifest) { return editor_.put_manifest(manifest), Status{}; }
  Status operator()(const Node& node) {
    if (!state_.has_cluster()) return contradiction("node " + node.name + " without a cluster");
    const Node* other = state_.node_by_uid(node.uid);
    if (other == nullptr) other = state_.node_by_address(node.address);
    if (other != nullptr) return contradiction("nodes " + other->name + " and " + node.name + " have one uid or address");
    for (const Cidr& block : blocks_of(node)) {
      const auto taken = editor_.ledger().restore(block, {node.uid, node.generation}, node.name);
      if (!taken) return contradiction("node " + node.name + ": " + taken.error().message);
    }
    editor_.restore_node(node);
    return {};
  }
  Status operator()(const QuarantinedBlock& block) {
    if (!state_.has_cluster()) return contradiction("a block in quarantine without a cluster");
    const auto taken = editor_.ledger().restore_quarantined(block);
    return taken ? Status{} : Status(contradiction(taken.error().message));
  }

 private:
  std::vector<Change> ignored_;
  bool pools_complete_ = false;  // a start reads a million records: the default pool is looked for once
  State& state_;
  StateEditor editor_;
};

}  // namespace

std::string_view to_string(PendingNode::Decision decision) {
  switch (decision) {
    case PendingNode::Decision::waiting: return "waiting";
    case PendingNode::Decision::approved: return "approved";
    case PendingNode::Decision::denied: return "denied";
  }
  return "waiting";
}

std::optional<PendingNode::Decision> pending_decision_from_string(std::string_view text) {
  for (const auto decision : {PendingNode::Decision::waiting, PendingNode::Decision::approved, PendingNode::Decision::denied}) {
    if (text == to_string(decision)) return decision;
  }
  return std::nullopt;
}

std::vector<Cidr> blocks_of(const Node& node) {
  std::vector<Cidr> blocks = {node.pod_cidr};
  if (node.second_pod_cidr) blocks.push_back(*node.second_pod_cidr);
  return blocks;
}

std::string artifact_key(const std::string& component, const std::string& version) { return component + "/" + version; }

std::string key_of(const Record& record) { return std::visit(KeyOf{}, record); }

Result<State> State::from_source(const std::function<Status(RecordSink& sink)>& source) {
  State state;
  Loader loader(state);
  const Status loaded = source(loader);
  if (!loaded) return loaded.error();
  if (const Status pools = loader.default_pool(); !pools) return pools.error();
  state.nodes_.history().begin(state.desired_revision());
  return state;
}

Result<State> State::from_records(const std::vector<Record>& records) {
  return from_source([&records](RecordSink& sink) -> Status {
    for (const int rank : {0, 1, 2, 3}) {
      for (const Record& record : records) {
        if (rank_of(record) != rank) continue;
        if (const auto loaded = sink.record(record); !loaded) return loaded;
      }
    }
    return {};
  });
}

const Node* State::node_with_block(const Cidr& block) const {
  for (const auto& [name, node] : nodes()) {
    if (node.pod_cidr.overlaps(block) || (node.second_pod_cidr && node.second_pod_cidr->overlaps(block))) return &node;
  }
  return nullptr;
}

const Tombstone* State::tombstone(const std::string& name) const { return find_in(tombstones_, name); }
const PendingNode* State::pending_node(const std::string& name) const { return find_in(pending_, name); }
const JoinToken* State::token(const std::string& id) const { return find_in(tokens_, id); }

std::optional<CompactCertificate> State::current_certificate(const Node& node, CertUsage usage) const {
  const PackedSerial* serial = node.certificates.find(usage);
  return serial == nullptr ? std::nullopt : certificates_.find(*serial);
}

std::optional<WallTime> State::revoked_at(const CompactCertificate& certificate) const {
  // Lists ask for a million: no text is made for those that cannot be on the list.
  if (revocations_.empty() || !is_persons_usage(certificate.usage)) return std::nullopt;
  const auto found = revocations_.find(certificate.serial_hex());
  return found == revocations_.end() ? std::nullopt : std::optional<WallTime>(found->second);
}

const proto::Artifact* State::artifact(const std::string& component, const std::string& version) const {
  return find_in(artifacts_, artifact_key(component, version));
}

const CaLine* State::ca(CaKind kind) const { return find_in(cas_, kind); }

proto::ClusterCapacity capacity_with(const ValidatedCluster& cluster, const CidrLedger& ledger, std::size_t nodes) {
  proto::ClusterCapacity capacity = capacity_of(cluster);
  capacity.nodes = nodes;
  capacity.quarantined = ledger.quarantined();
  capacity.max_nodes = 0;
  for (const auto& [name, pool] : ledger.pools()) {
    if (is_v4(pool.record()) == cluster.pod_cidr.is_v4()) capacity.max_nodes += pool.usage().capacity;
  }
  return capacity;
}

proto::ClusterCapacity State::capacity() const {
  return cluster_ ? capacity_with(*cluster_, ledger_, nodes().size()) : proto::ClusterCapacity{};
}

Status State::authenticate_operator(const std::string& user, const std::string& serial, WallTime now) const {
  const auto record = certificate(serial);
  const bool theirs = record && is_operator_usage(record->usage) && record->subject == user;
  if (theirs && record->not_after > now && !revoked_at(*record)) return {};
  return make_error(Errc::denied, "the certificate of operator \"" + user + "\" was revoked or is not one of this cluster: ask an admin "
                                  "for a new one (slipwayctl operator create)");
}

Result<const Node*> State::authenticate_agent(const std::string& uid, std::uint64_t generation, const std::string& serial,
                                              WallTime now) const {
  const Node* node = node_by_uid(uid);
  if (node == nullptr || node->generation != generation) {
    return make_error(Errc::gone, "this node was deleted from the cluster: to come back it must join with a new token "
                                  "(slipway-agent join)");
  }
  if (node->replacing) {
    return make_error(Errc::gone, "node " + node->name + " is being replaced (slipwayctl node replace): this host's identity is dead; to "
                                  "come back it must join with a new token (slipway-agent join)");
  }
  const PackedSerial* current = node->certificates.find(CertUsage::agent);
  const bool known = !serial.empty() && ((current != nullptr && *current == serial) || node->previous_agent_serial == serial);
  if (!known) {
    return make_error(Errc::denied, "the certificate with serial " + serial + " of node " + node->name +
                                        " has been replaced by a newer one");
  }
  const auto record = certificate(serial);
  if (!record || record->not_after <= now) {
    return make_error(Errc::denied, "the certificate with serial " + serial + " of node " + node->name +
                                        " has ended: the agent must connect anew and prove its identity key");
  }
  return node;
}

void StateEditor::note_parts(RecordKind kind) {
  ChangeHistory& history = state_.nodes_.history();
  switch (kind) {
    case RecordKind::spec:
      for (const auto part : {DesiredPart::cluster, DesiredPart::components, DesiredPart::pod_ranges, DesiredPart::overrides}) history.part(part, next_revision());
      break;
    case RecordKind::pool:
      for (const auto part : {DesiredPart::pod_ranges, DesiredPart::overrides}) history.part(part, next_revision());
      break;
    case RecordKind::artifact: history.part(DesiredPart::components, next_revision()); break;
    case RecordKind::ca: history.part(DesiredPart::cas, next_revision()); break;
    case RecordKind::manifest: history.part(DesiredPart::manifest, next_revision()); break;
    default: break;
  }
}

void StateEditor::put_identity(ClusterIdentity identity) {
  state_.identity_ = identity;
  note(std::move(identity));
}

void StateEditor::put_cluster(ValidatedCluster cluster) {
  note(cluster.spec);
  state_.cluster_ = std::move(cluster);
}

void StateEditor::put_node(Node node) {
  note(node);
  state_.nodes_.put(std::move(node), next_revision());
}

void StateEditor::erase_node(const std::string& name) {
  if (state_.nodes_.find(name) == nullptr) return;
  erase(RecordKind::node, name);
  state_.nodes_.erase(name, next_revision());
}

void StateEditor::put_tombstone(Tombstone tombstone) {
  note(tombstone);
  state_.tombstones_.insert_or_assign(tombstone.name, tombstone);
}

void StateEditor::put_pending(PendingNode node) {
  note(node);
  std::string name = node.name;
  state_.pending_.insert_or_assign(std::move(name), std::move(node));
}

void StateEditor::erase_pending(const std::string& name) {
  const auto found = state_.pending_.find(name);
  if (found == state_.pending_.end()) return;
  erase(RecordKind::pending, found->first);
  state_.pending_.erase(found);
}

void StateEditor::put_token(JoinToken token) {
  note(token);
  state_.tokens_.insert_or_assign(token.id, token);
}

void StateEditor::erase_token(const std::string& id) {
  erase(RecordKind::token, id);
  state_.tokens_.erase(id);
}

Status StateEditor::put_certificate(CertificateRecord record) {
  if (const Status put = state_.certificates_.put(record); !put) return put;
  raise_floor(record.not_before);
  note(std::move(record));
  return {};
}

// Stores of before the floor was kept have only the certificates to tell it.
Status StateEditor::restore_certificate(const CompactCertificate& certificate) {
  raise_floor(certificate.not_before);
  return state_.certificates_.put(certificate);
}

void StateEditor::raise_floor(WallTime not_before) {
  state_.counters_.clock_floor = std::max(state_.counters_.clock_floor, not_before);
}

void StateEditor::erase_certificate(const std::string& serial) {
  erase(RecordKind::certificate, serial);
  erase(RecordKind::pem, serial);
  state_.certificates_.erase(serial);
  if (state_.revocations_.erase(serial) > 0) erase(RecordKind::revocation, serial);
}

void StateEditor::put_revocation(Revocation revocation) {
  state_.revocations_.insert_or_assign(revocation.serial, revocation.at);
  note(std::move(revocation));
}

void StateEditor::put_artifact(proto::Artifact artifact) {
  note(artifact);
  state_.artifacts_.insert_or_assign(artifact_key(artifact.component, artifact.version), artifact);
}

void StateEditor::erase_artifact(const std::string& component, const std::string& version) {
  state_.artifacts_.erase(artifact_key(component, version));
  erase(RecordKind::artifact, artifact_key(component, version));
}

void StateEditor::put_manifest(ArtifactManifestRecord manifest) {
  note(manifest);
  state_.artifact_manifest_ = std::move(manifest);
}

void StateEditor::erase_pool(const std::string& name) {
  erase(RecordKind::pool, name);
  if (state_.pool_histories_.erase(name) > 0) erase(RecordKind::history, name);
}

void StateEditor::put_history(PoolHistory history) {
  note(history);
  std::string pool = history.pool;
  state_.pool_histories_.insert_or_assign(std::move(pool), std::move(history));
}

void StateEditor::put_ca(CaLine line) {
  note(line);
  state_.cas_.insert_or_assign(line.kind, line);
}

void StateEditor::set_pod_mtu_limit(std::uint32_t limit) {
  state_.counters_.pod_mtu_limit = limit;
  state_.nodes_.history().part(DesiredPart::cluster, next_revision());
}

void StateEditor::put_counters(Counters counters) {
  state_.counters_ = counters;
  note(counters);
}

void StateEditor::finish(bool desired) {
  Counters counters = state_.counters_;
  ++counters.revision;
  if (desired) counters.desired_revision = counters.revision;
  put_counters(counters);
}

}  // namespace slipway
