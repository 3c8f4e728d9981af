#include "coordinator/domain/state.hpp"

#include "coordinator/domain/state_editor.hpp"

namespace slipway {

namespace {

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const typename Map::key_type& key) {
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
  std::string operator()(const CaLine& line) const { return std::string(to_string(line.kind)); }
};

Error contradiction(const std::string& what) {
  return make_error(Errc::corrupt, "the stored records contradict each other: " + what + "; restore a backup");
}

// Puts records read from the store into a state, cluster first.
class Loader {
 public:
  explicit Loader(State& state) : state_(state), editor_(state, ignored_) {}

  Status cluster(const proto::ClusterSpec& spec) {
    auto cluster = validate(spec);
    if (!cluster) return contradiction("the cluster specification is not valid: " + cluster.error().message);
    auto pool = CidrPool::make(cluster->pod_cidr, cluster->node_prefix_length);
    if (!pool) return contradiction(pool.error().message);
    editor_.put_cluster(std::move(*cluster));
    editor_.make_pool(std::move(*pool));
    return {};
  }
  Status operator()(const proto::ClusterSpec&) { return {}; }  // went first
  Status operator()(const CertificatePem&) { return {}; }      // stays in the store
  Status operator()(const ClusterIdentity& identity) { return editor_.put_identity(identity), Status{}; }
  Status operator()(const Counters& counters) { return editor_.put_counters(counters), Status{}; }
  Status operator()(const Tombstone& tombstone) { return editor_.put_tombstone(tombstone), Status{}; }
  Status operator()(const JoinToken& token) { return editor_.put_token(token), Status{}; }
  Status operator()(const CertificateRecord& record) { return editor_.put_certificate(record), Status{}; }
  Status operator()(const proto::Artifact& artifact) { return editor_.put_artifact(artifact), Status{}; }
  Status operator()(const CaLine& line) { return editor_.put_ca(line), Status{}; }
  Status operator()(const Node& node) {
    if (!state_.has_cluster()) return contradiction("node " + node.name + " without a cluster");
    const Node* other = state_.node_by_uid(node.uid);
    if (other == nullptr) other = state_.node_by_address(node.address);
    if (other != nullptr) return contradiction("nodes " + other->name + " and " + node.name + " have one uid or address");
    const auto block = editor_.pool().restore(node.pod_cidr, {node.uid, node.generation});
    if (!block) return contradiction("node " + node.name + ": " + block.error().message);
    editor_.put_node(node);
    return {};
  }
  Status operator()(const QuarantinedBlock& block) {
    if (!state_.has_cluster()) return contradiction("a block in quarantine without a cluster");
    const auto taken = editor_.pool().restore_quarantined(block);
    return taken ? Status{} : Status(contradiction(taken.error().message));
  }

 private:
  std::vector<Change> ignored_;
  State& state_;
  StateEditor editor_;
};

}  // namespace

std::string artifact_key(const std::string& component, const std::string& version) { return component + "/" + version; }

std::string key_of(const Record& record) { return std::visit(KeyOf{}, record); }

Result<State> State::from_records(const std::vector<Record>& records) {
  State state;
  Loader loader(state);
  for (const Record& record : records) {
    const auto* spec = std::get_if<proto::ClusterSpec>(&record);
    if (spec == nullptr) continue;
    if (const auto loaded = loader.cluster(*spec); !loaded) return loaded.error();
  }
  for (const Record& record : records) {
    if (const auto loaded = std::visit(loader, record); !loaded) return loaded.error();
  }
  return state;
}

const Node* State::node(const std::string& name) const { return find_in(nodes_, name); }

const Node* State::node_by_uid(const std::string& uid) const {
  const auto* name = find_in(name_by_uid_, uid);
  return name == nullptr ? nullptr : node(*name);
}

const Node* State::node_by_address(const IpAddress& address) const {
  const auto* name = find_in(name_by_address_, address);
  return name == nullptr ? nullptr : node(*name);
}

const Node* State::node_by_machine_id(const std::string& machine_id) const {
  const auto* name = find_in(name_by_machine_id_, machine_id);
  return name == nullptr ? nullptr : node(*name);
}

const Tombstone* State::tombstone(const std::string& name) const { return find_in(tombstones_, name); }
const JoinToken* State::token(const std::string& id) const { return find_in(tokens_, id); }
const CertificateRecord* State::certificate(const std::string& serial) const { return find_in(certificates_, serial); }

const CertificateRecord* State::current_certificate(const Node& node, CertUsage usage) const {
  const auto* serial = find_in(node.certificates, usage);
  return serial == nullptr ? nullptr : certificate(*serial);
}

const proto::Artifact* State::artifact(const std::string& component, const std::string& version) const {
  return find_in(artifacts_, artifact_key(component, version));
}

const CaLine* State::ca(CaKind kind) const { return find_in(cas_, kind); }

proto::ClusterCapacity State::capacity() const {
  if (!cluster_) return {};
  proto::ClusterCapacity capacity = capacity_of(*cluster_);
  capacity.nodes = nodes_.size();
  capacity.quarantined = pool_->quarantined();
  return capacity;
}

Result<const Node*> State::authenticate_agent(const std::string& uid, std::uint64_t generation, const std::string& serial) const {
  const Node* node = node_by_uid(uid);
  if (node == nullptr || node->generation != generation) {
    return make_error(Errc::gone, "this node was deleted from the cluster: to come back it must join with a new token "
                                  "(slipway-agent join)");
  }
  const auto* current = find_in(node->certificates, CertUsage::agent);
  const bool known = !serial.empty() && ((current != nullptr && *current == serial) || node->previous_agent_serial == serial);
  if (!known) {
    return make_error(Errc::denied, "the certificate with serial " + serial + " of node " + node->name +
                                        " has been replaced by a newer one");
  }
  return node;
}

void StateEditor::put_identity(ClusterIdentity identity) {
  state_.identity_ = identity;
  note(std::move(identity));
}

void StateEditor::put_cluster(ValidatedCluster cluster) {
  note(cluster.spec);
  state_.cluster_ = std::move(cluster);
}

void StateEditor::index(const Node& node) {
  state_.name_by_uid_[node.uid] = node.name;
  state_.name_by_address_[node.address] = node.name;
  if (!node.machine_id.empty()) state_.name_by_machine_id_[node.machine_id] = node.name;
}

void StateEditor::unindex(const Node& node) {
  state_.name_by_uid_.erase(node.uid);
  state_.name_by_address_.erase(node.address);
  if (!node.machine_id.empty()) state_.name_by_machine_id_.erase(node.machine_id);
}

void StateEditor::put_node(Node node) {
  if (const Node* old = state_.node(node.name)) unindex(*old);
  index(node);
  note(node);
  std::string name = node.name;
  state_.nodes_.insert_or_assign(std::move(name), std::move(node));
}

void StateEditor::erase_node(const std::string& name) {
  const auto found = state_.nodes_.find(name);
  if (found == state_.nodes_.end()) return;
  erase(RecordKind::node, found->first);
  unindex(found->second);
  state_.nodes_.erase(found);
}

void StateEditor::put_tombstone(Tombstone tombstone) {
  note(tombstone);
  state_.tombstones_.insert_or_assign(tombstone.name, tombstone);
}

void StateEditor::put_token(JoinToken token) {
  note(token);
  state_.tokens_.insert_or_assign(token.id, token);
}

void StateEditor::erase_token(const std::string& id) {
  erase(RecordKind::token, id);
  state_.tokens_.erase(id);
}

void StateEditor::put_certificate(CertificateRecord record) {
  note(record);
  state_.certificates_.insert_or_assign(record.serial, record);
}

void StateEditor::erase_certificate(const std::string& serial) {
  erase(RecordKind::certificate, serial);
  erase(RecordKind::pem, serial);
  state_.certificates_.erase(serial);
}

void StateEditor::put_artifact(proto::Artifact artifact) {
  note(artifact);
  state_.artifacts_.insert_or_assign(artifact_key(artifact.component, artifact.version), artifact);
}

void StateEditor::put_ca(CaLine line) {
  note(line);
  state_.cas_.insert_or_assign(line.kind, line);
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
