#include "coordinator/domain/operations.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "coordinator/domain/ca_operations.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

namespace {

Error no_cluster() { return make_error(Errc::unavailable, "there is no cluster yet: slipway-coordinator init makes one"); }

// The certificates are for these keys, for this node, and new. A violation is a bug of the caller: nothing is recorded.
Status check_certificates(const State& state, const std::vector<IssuedCertificate>& certificates, const std::string& uid,
                          std::uint64_t generation) {
  std::vector<CertUsage> seen;
  for (const IssuedCertificate& certificate : certificates) {
    const CertificateRecord& record = certificate.record;
    const std::string shown = "certificate " + std::string(to_string(record.usage)) + " with serial " + record.serial;
    if (record.serial.empty() || certificate.pem.empty()) return make_error(Errc::internal, shown + " is empty");
    if (record.node_uid != uid || record.generation != generation) return make_error(Errc::internal, shown + " is for another node");
    if (const auto issuer = check_issuer(state, record); !issuer) return issuer;
    if (state.certificate(record.serial) != nullptr) return make_error(Errc::internal, shown + " was issued before");
    if (std::find(seen.begin(), seen.end(), record.usage) != seen.end()) return make_error(Errc::internal, shown + " stands twice");
    seen.push_back(record.usage);
  }
  return {};
}

void record_certificates(StateEditor& editor, Node& node, const std::vector<IssuedCertificate>& certificates) {
  for (const IssuedCertificate& certificate : certificates) {
    node.certificates[certificate.record.usage] = certificate.record.serial;
    editor.put_pem({certificate.record.serial, certificate.pem});
    editor.put_certificate(certificate.record);
  }
}

class Applier {
 public:
  Applier(State& state, std::vector<Change>& changes) : state_(state), editor_(state, changes) {}

  Result<Outcome> operator()(const InitCluster& op) {
    if (state_.has_cluster()) {
      return make_error(Errc::conflict, "cluster " + state_.cluster().spec.metadata.name + " lives here already: change it with slipwayctl cluster apply");
    }
    auto cluster = validate(op.spec);
    if (!cluster) return cluster.error();
    auto pool = CidrPool::make(cluster->pod_cidr, cluster->node_prefix_length);
    if (!pool) return pool.error();
    editor_.put_identity(op.identity);
    editor_.put_cluster(std::move(*cluster));
    editor_.make_pool(std::move(*pool));
    return done(true);
  }

  Result<Outcome> operator()(const ApplyCluster& op) {
    if (!state_.has_cluster()) return no_cluster();
    auto cluster = validate(op.spec);
    if (!cluster) return cluster.error();
    if (const auto change = check_change(state_.cluster(), *cluster); !change) return change.error();
    if (*cluster == state_.cluster()) return unchanged();
    if (const auto nodes = check_nodes(*cluster); !nodes) return nodes.error();
    editor_.put_cluster(std::move(*cluster));
    return done(true);
  }

  Result<Outcome> operator()(const CreateToken& op) {
    if (!state_.has_cluster()) return no_cluster();
    if (state_.token(op.token.id) != nullptr) return make_error(Errc::conflict, "token id " + op.token.id + " is taken: try again");
    editor_.put_token(op.token);
    return done(false);
  }

  Result<Outcome> operator()(const DeleteToken& op) {
    if (state_.token(op.id) == nullptr) return make_error(Errc::not_found, "there is no token with id " + op.id.substr(0, 64));
    editor_.erase_token(op.id);
    return done(false);
  }

  Result<Outcome> operator()(const AdmitNode& op) {
    const AdmissionVerdict verdict = admit(state_, op.request);
    if (!verdict.result) return verdict.result.error();
    const Admission& now = *verdict.result;
    const bool is_new = now.kind == AdmissionKind::new_node;
    if (now.kind != op.kind || now.generation != op.generation || (!is_new && now.uid != op.uid)) {
      return make_error(Errc::conflict, "the registration of node " + op.request.node_name + " changed meanwhile: try again");
    }
    if (now.kind == AdmissionKind::same_certificates) {
      Outcome outcome = unchanged();
      outcome.node = *state_.node(op.request.node_name);
      return outcome;
    }
    if (const auto fit = check_issued(op); !fit) return fit.error();
    return is_new ? admit_new(op) : admit_again(op);
  }

  Result<Outcome> operator()(const RecordRenewal& op) {
    const auto found = state_.authenticate_agent(op.uid, op.generation, op.presented_serial);
    if (!found) return found.error();
    Node node = **found;
    if (op.certificates.empty()) return unchanged_node(node);
    if (const auto fit = check_certificates(state_, op.certificates, op.uid, op.generation); !fit) return fit.error();
    for (const IssuedCertificate& certificate : op.certificates) {
      if (certificate.record.usage != CertUsage::agent) continue;
      // What the agent has just shown stays good: this answer may be lost, and the next one too.
      const CertificateRecord* shown = state_.certificate(op.presented_serial);
      if (shown != nullptr) node.previous_identity = shown->spki_sha256;
      node.previous_agent_serial = op.presented_serial;
      node.identity = certificate.record.spki_sha256;
    }
    record_certificates(editor_, node, op.certificates);
    return put(std::move(node), false);
  }

  Result<Outcome> operator()(const RecordCertificate& op) {
    if (!state_.has_cluster()) return no_cluster();
    if (const auto fit = check_certificates(state_, {op.certificate}, "", 0); !fit) return fit.error();
    editor_.put_pem({op.certificate.record.serial, op.certificate.pem});
    editor_.put_certificate(op.certificate.record);
    return done(false);
  }

  Result<Outcome> operator()(const DeleteNode& op) {
    const Node* found = state_.node(op.name);
    if (found == nullptr) return make_error(Errc::not_found, "there is no node " + op.name.substr(0, 64) + " (slipwayctl node list)");
    const Node node = *found;
    const auto block = editor_.pool().release(node.pod_cidr, {node.uid, node.generation}, op.now, editor_.next_revision());
    if (!block) return error_of(block, "deleting node " + node.name);
    editor_.put_quarantined(*block);
    editor_.put_tombstone({node.name, node.uid, node.generation, node.identity, node.previous_identity, op.now});
    editor_.erase_node(node.name);
    Outcome outcome = done(true);
    outcome.node = node;
    return outcome;
  }

  Result<Outcome> operator()(const PutArtifact& op) {
    if (!state_.has_cluster()) return no_cluster();
    const proto::Artifact& artifact = op.artifact;
    if (const auto fit = check_artifact(artifact); !fit) return fit.error();
    const proto::Artifact* old = state_.artifact(artifact.component, artifact.version);
    if (old != nullptr && old->sha256 == artifact.sha256 && old->size == artifact.size && old->format == artifact.format) return unchanged();
    if (old != nullptr) {
      return make_error(Errc::conflict, artifact.component + " " + artifact.version + " was imported with SHA-256 " + old->sha256 +
                                            ": a version never changes; import it under another one");
    }
    editor_.put_artifact(artifact);
    return done(true);
  }

  Result<Outcome> operator()(const ChangeCa& op) {
    if (!state_.has_cluster()) return no_cluster();
    if (const Status changed = change_ca(state_, editor_, op); !changed) return changed.error();
    return done(true);
  }

  Result<Outcome> operator()(const Sweep& op) {
    if (!state_.has_cluster()) return unchanged();
    const WallTime before = op.maturity.now - op.keep;
    bool any = sweep_tokens(before);
    any = sweep_certificates(before) || any;
    for (const Cidr& freed : editor_.pool().mature(op.maturity)) {
      editor_.erase_quarantined(freed);
      any = true;
    }
    return any ? done(false) : unchanged();
  }

 private:
  Outcome done(bool desired) {
    editor_.finish(desired);
    return {true, state_.revision(), std::nullopt};
  }
  Outcome unchanged() const { return {false, state_.revision(), std::nullopt}; }
  Outcome unchanged_node(const Node& node) const { return {false, state_.revision(), node}; }
  Outcome put(Node node, bool desired) {
    editor_.put_node(node);
    Outcome outcome = done(desired);
    outcome.node = std::move(node);
    return outcome;
  }

  Status check_nodes(const ValidatedCluster& wanted) const {
    const ProfileCluster cluster = profile_cluster(wanted, state_.identity().id);
    for (const auto& [name, node] : state_.nodes()) {
      ProfileNode profile;
      profile.name = name;
      profile.master = node.role == NodeRole::master;
      const auto fits = check_node_address(cluster, profile, node.address);
      if (!fits) return make_error(Errc::conflict, "the change does not fit the live nodes: " + fits.error().message);
    }
    return {};
  }

  // One certificate for each key of the request, made for that key.
  Status check_issued(const AdmitNode& op) const {
    if (op.uid.empty()) return make_error(Errc::internal, "a node needs a uid");
    if (const auto fit = check_certificates(state_, op.certificates, op.uid, op.generation); !fit) return fit;
    if (op.certificates.size() != op.request.spkis.size()) return make_error(Errc::internal, "not one certificate for each request");
    for (const IssuedCertificate& certificate : op.certificates) {
      const auto wanted = op.request.spkis.find(certificate.record.usage);
      if (wanted == op.request.spkis.end() || wanted->second != certificate.record.spki_sha256) {
        return make_error(Errc::internal, "a certificate is for another key than requested");
      }
    }
    return {};
  }

  Result<Outcome> admit_new(const AdmitNode& op) {
    const AdmissionRequest& request = op.request;
    if (state_.node_by_uid(op.uid) != nullptr) return make_error(Errc::internal, "node uid " + op.uid + " is taken");
    const auto block = editor_.pool().allocate({op.uid, op.generation}, state_.cluster().node_prefix_length, request.maturity);
    if (!block) return block.error();
    for (const Cidr& reclaimed : block->reclaimed) editor_.erase_quarantined(reclaimed);
    JoinToken token = *state_.token(request.token->id);
    ++token.uses;
    Node node;
    node.name = request.node_name;
    node.uid = op.uid;
    node.generation = op.generation;
    node.role = request.role;
    node.address = request.address;
    node.machine_id = request.machine_id;
    node.pod_cidr = block->prefix;
    node.joined_at = request.maturity.now;
    node.token_id = token.id;
    node.identity = request.spkis.at(CertUsage::agent);
    editor_.put_token(std::move(token));
    record_certificates(editor_, node, op.certificates);
    return put(std::move(node), true);
  }

  // A known identity key: the same node with the same block, perhaps at another address.
  Result<Outcome> admit_again(const AdmitNode& op) {
    Node node = *state_.node(op.request.node_name);
    const std::string& spki = op.request.spkis.at(CertUsage::agent);
    if (spki != node.identity) std::swap(node.identity, node.previous_identity);
    const auto old = node.certificates.find(CertUsage::agent);
    node.previous_agent_serial = old == node.certificates.end() ? std::string() : old->second;
    const bool moved = node.address != op.request.address;
    node.address = op.request.address;
    if (node.machine_id.empty()) node.machine_id = op.request.machine_id;
    record_certificates(editor_, node, op.certificates);
    return put(std::move(node), moved);
  }

  Status check_artifact(const proto::Artifact& artifact) const {
    const auto names = component_names();
    if (std::find(names.begin(), names.end(), artifact.component) == names.end()) {
      return make_error(Errc::invalid, "\"" + artifact.component.substr(0, 64) + "\" is no component: " + join(names, ", "));
    }
    const bool version_ok = !artifact.version.empty() && artifact.version.size() <= 64 && artifact.version.front() != '.' &&
                            artifact.version.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz.+-~") == std::string::npos;
    if (!version_ok) return make_error(Errc::invalid, "\"" + artifact.version.substr(0, 64) + "\" is not a version, as in 1.20.2");
    const bool digest_ok = artifact.sha256.size() == 64 && artifact.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!digest_ok) return make_error(Errc::invalid, "an artifact needs its SHA-256 as 64 lower-case hex digits");
    if (artifact.format != "file" && artifact.format != "tar") {
      return make_error(Errc::invalid, "the format of an artifact is file or tar, not \"" + artifact.format.substr(0, 64) + "\"");
    }
    return {};
  }

  bool sweep_tokens(WallTime before) {
    std::vector<std::string> over;
    for (const auto& [id, token] : state_.tokens()) {
      if (token.expires_at < before) over.push_back(id);
    }
    for (const std::string& id : over) editor_.erase_token(id);
    return !over.empty();
  }

  // A live node's current certificate is kept, expired or not: the node may come back by proof of its key.
  bool sweep_certificates(WallTime before) {
    std::vector<std::string> over;
    for (const auto& [serial, record] : state_.certificates()) {
      if (record.not_after >= before) continue;
      const Node* node = record.node_uid.empty() ? nullptr : state_.node_by_uid(record.node_uid);
      if (node != nullptr && state_.current_certificate(*node, record.usage) == &record) continue;
      over.push_back(serial);
    }
    for (const std::string& serial : over) editor_.erase_certificate(serial);
    return !over.empty();
  }

  State& state_;
  StateEditor editor_;
};

}  // namespace

Result<Outcome> apply(State& state, const Operation& operation, std::vector<Change>& changes) {
  Applier applier(state, changes);
  return std::visit(applier, operation);
}

}  // namespace slipway
