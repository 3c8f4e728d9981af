#include "coordinator/domain/operations.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "coordinator/domain/artifact_operations.hpp"
#include "coordinator/domain/ca_operations.hpp"
#include "coordinator/domain/cluster_plan.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/node_operations.hpp"
#include "coordinator/domain/pending_operations.hpp"
#include "coordinator/domain/pool_operations.hpp"
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
    if (const auto packed = PackedCertificate::of(record); !packed) return make_error(Errc::internal, packed.error().message);
    if (state.certificate(record.serial)) return make_error(Errc::internal, shown + " was issued before");
    if (std::find(seen.begin(), seen.end(), record.usage) != seen.end()) return make_error(Errc::internal, shown + " stands twice");
    seen.push_back(record.usage);
  }
  return {};
}

Status record_certificate(StateEditor& editor, const IssuedCertificate& certificate) {
  if (const Status put = editor.put_certificate(certificate.record); !put) return put;
  editor.put_pem({certificate.record.serial, certificate.pem});
  return {};
}

Status record_certificates(StateEditor& editor, Node& node, const std::vector<IssuedCertificate>& certificates) {
  for (const IssuedCertificate& certificate : certificates) {
    if (const Status put = record_certificate(editor, certificate); !put) return put;
    node.certificates.set(certificate.record.usage, PackedSerial(certificate.record.serial));
  }
  return {};
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
    auto pools = plan_pools(state_, *cluster, {});
    if (!pools) return pools.error();
    carry_out(state_, editor_, std::move(*pools));
    editor_.put_identity(op.identity);
    editor_.put_cluster(std::move(*cluster));
    return done(true);
  }

  Result<Outcome> operator()(const ApplyCluster& op) {
    if (!state_.has_cluster()) return no_cluster();
    auto plan = plan_cluster(state_, op);
    if (!plan) return plan.error();
    if (plan->cluster == state_.cluster()) return unchanged();
    carry_out(state_, editor_, std::move(plan->pools));
    editor_.put_cluster(std::move(plan->cluster));
    return done(true);
  }

  Result<Outcome> operator()(const CreateToken& op) {
    if (!state_.has_cluster()) return no_cluster();
    if (state_.token(op.token.id) != nullptr) return make_error(Errc::conflict, Cause::raced, "token id " + op.token.id + " is taken: try again");
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
      return make_error(Errc::conflict, Cause::raced, "the registration of node " + op.request.node_name + " changed meanwhile: try again");
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
    const auto found = state_.authenticate_agent(op.uid, op.generation, op.presented_serial, op.now);
    if (!found) return found.error();
    Node node = **found;
    const IpAddress before = node.address;
    if (op.address) {
      if (const Status may = check_move(state_, node, *op.address); !may) return may.error();
      node.address = *op.address;
    }
    const bool moved = node.address != before;
    if (const Status right = check_serving(op, node, moved); !right) return right.error();
    if (op.certificates.empty()) return unchanged_node(node);
    if (const auto fit = check_certificates(state_, op.certificates, op.uid, op.generation); !fit) return fit.error();
    for (const IssuedCertificate& certificate : op.certificates) {
      if (certificate.record.usage != CertUsage::agent) continue;
      // What the agent has just shown stays good: this answer may be lost, and the next one too.
      const auto shown = state_.certificate(op.presented_serial);
      if (shown) node.previous_identity = KeyDigest::of_bytes(shown->spki_sha256);
      node.previous_agent_serial = PackedSerial(op.presented_serial);
      node.identity = KeyDigest(certificate.record.spki_sha256);
    }
    if (const Status put = record_certificates(editor_, node, op.certificates); !put) return put.error();
    end_rotation(state_, node);
    Outcome outcome = put(std::move(node), moved);
    if (moved) outcome.notes = {"was at " + before.to_string()};
    return outcome;
  }

  Result<Outcome> operator()(const RecordCertificate& op) {
    if (!state_.has_cluster()) return no_cluster();
    if (const auto fit = check_certificates(state_, {op.certificate}, "", 0); !fit) return fit.error();
    if (const Status put = record_certificate(editor_, op.certificate); !put) return put.error();
    return done(false);
  }

  Result<Outcome> operator()(const DeleteNode& op) {
    const Node* found = state_.node(op.name);
    if (found == nullptr) return make_error(Errc::not_found, "there is no node " + op.name.substr(0, 64) + " (slipwayctl node list)");
    const Node node = *found;
    const auto blocks = editor_.ledger().release(blocks_of(node), {node.uid, node.generation}, op.now, editor_.next_revision());
    if (!blocks) return error_of(blocks, "deleting node " + node.name);
    for (const QuarantinedBlock& block : *blocks) editor_.put_quarantined(block);
    bury(editor_, node, op.now);
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
      return pointing_to("/version", make_error(Errc::conflict, Cause::fixed, artifact.component + " " + artifact.version + " was imported with SHA-256 " +
                                                                                  old->sha256 + ": a version never changes; import it under another one"));
    }
    editor_.put_artifact(artifact);
    return done(true);
  }

  Result<Outcome> operator()(const DeleteArtifact& op) { return state_.has_cluster() ? apply_artifact_deletion(state_, editor_, op) : no_cluster(); }
  Result<Outcome> operator()(const PutManifest& op) { return state_.has_cluster() ? apply_manifest(state_, editor_, op) : no_cluster(); }

  Result<Outcome> operator()(const RevokeOperator& op) {
    std::vector<std::string> serials;
    for (const CompactCertificate record : state_.certificates()) {
      const bool theirs = is_persons_usage(record.usage) && record.subject == op.user && record.not_after > op.now;
      if (theirs && !state_.revoked_at(record)) serials.push_back(record.serial_hex());
    }
    if (serials.empty()) return make_error(Errc::not_found, "no operator named \"" + op.user.substr(0, 64) + "\" has a certificate that counts");
    for (std::string& serial : serials) editor_.put_revocation({std::move(serial), op.now});
    return done(false);
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
    any = sweep_pending(state_, editor_, before) || any;
    for (const Cidr& freed : editor_.ledger().mature(op.maturity)) {
      editor_.erase_quarantined(freed);
      any = true;
    }
    const bool told = op.pod_mtu_limit != state_.pod_mtu_limit();
    if (told) editor_.set_pod_mtu_limit(op.pod_mtu_limit);
    return any || told ? done(told) : unchanged();
  }

  Result<Outcome> operator()(const QueueNode& op) { return apply_queue(state_, editor_, op); }
  Result<Outcome> operator()(const DecideNode& op) { return apply_decision(state_, editor_, op); }
  Result<Outcome> operator()(const ReplaceNode& op) { return apply_replacement(state_, editor_, op); }
  Result<Outcome> operator()(const SetNodeSettings& op) { return apply_settings(state_, editor_, op); }
  Result<Outcome> operator()(const RecordMarks& op) { return apply_marks(state_, editor_, op); }
  Result<Outcome> operator()(const CordonNode& op) { return apply_cordon(state_, editor_, op); }
  Result<Outcome> operator()(const RotateCertificates& op) { return apply_rotation(state_, editor_, op); }

  Result<Outcome> operator()(const CreatePool& op) {
    if (!state_.has_cluster()) return no_cluster();
    return desired_by(create_pool(state_, editor_, op));
  }
  Result<Outcome> operator()(const GrowPool& op) {
    const auto grown = state_.has_cluster() ? grow_pool(state_, editor_, op) : Result<bool>(no_cluster());
    if (!grown) return grown.error();
    return *grown ? done(true) : unchanged();
  }
  Result<Outcome> operator()(const DrainPool& op) {
    const auto changed = drain_pool(state_, editor_, op);
    if (!changed) return changed.error();
    return *changed ? done(false) : unchanged();
  }
  Result<Outcome> operator()(const DeletePool& op) {
    if (!state_.has_cluster()) return no_cluster();
    return desired_by(delete_pool(state_, editor_, op));
  }
  Result<Outcome> operator()(const HoldBlock& op) { return quietly(hold_block(state_, editor_, op)); }
  Result<Outcome> operator()(const ReleaseHold& op) { return quietly(release_hold(state_, editor_, op)); }
  Result<Outcome> operator()(const ImportNodes& op) {
    if (!state_.has_cluster()) return no_cluster();
    std::vector<std::string> notes;
    const bool any = import_nodes(state_, editor_, op, notes);
    Outcome outcome = any ? done(false) : unchanged();
    outcome.notes = std::move(notes);
    return outcome;
  }
  Result<Outcome> operator()(const SamplePools& op) { return sample_pools(state_, editor_, op.now) ? done(false) : unchanged(); }

 private:
  // Agents must see it, or not.
  Result<Outcome> desired_by(const Status& changed) { return changed ? Result<Outcome>(done(true)) : Result<Outcome>(changed.error()); }
  Result<Outcome> quietly(const Status& changed) { return changed ? Result<Outcome>(done(false)) : Result<Outcome>(changed.error()); }
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

  // The serving certificate says the address that the node has from now on. It was made before: two renewals may have met.
  static Status check_serving(const RecordRenewal& op, const Node& node, bool moved) {
    const std::string address = node.address.to_string();
    bool there = false;
    for (const IssuedCertificate& issued : op.certificates) {
      if (issued.record.usage != CertUsage::kubelet_serving) continue;
      there = std::find(issued.names.begin(), issued.names.end(), address) != issued.names.end();
      if (!there && !issued.names.empty()) {
        return make_error(Errc::conflict, Cause::raced, "the address of node " + node.name + " changed meanwhile: try again");
      }
    }
    if (moved && !there) return make_error(Errc::internal, "node " + node.name + " moves without a serving certificate for " + address);
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

  // A block of its own, or the one of the node whose place it takes.
  struct NodeBlocks {
    Cidr primary;
    std::optional<Cidr> second;
    std::vector<std::string> notes = {};
  };
  Result<NodeBlocks> blocks_for(const AdmitNode& op, const Node* replaced) {
    const CidrOwner owner{op.uid, op.generation};
    if (replaced != nullptr) {
      const auto taken = editor_.ledger().hand_over(blocks_of(*replaced), {replaced->uid, replaced->generation}, owner);
      if (!taken) return error_of(taken, "replacing node " + replaced->name);
      return NodeBlocks{replaced->pod_cidr, replaced->second_pod_cidr};
    }
    const AdmissionRequest& request = op.request;
    const auto grant = editor_.ledger().allocate({request.node_name, request.role, request.pool}, owner, request.maturity);
    if (!grant) return grant.error();
    for (const Cidr& reclaimed : grant->reclaimed) editor_.erase_quarantined(reclaimed);
    NodeBlocks blocks{grant->primary, grant->second};
    for (const QuarantinedBlock& early : grant->early) blocks.notes.push_back(early_text(early, request.maturity));
    return blocks;
  }

  // An approved host's token use was counted when it was queued.
  std::string take_token(const AdmissionRequest& request) {
    const PendingNode* approved = state_.pending_node(request.node_name);
    if (approved != nullptr && approved->fingerprint == request.spkis.at(CertUsage::agent)) return approved->token_id;
    JoinToken token = *state_.token(request.token->id);
    ++token.uses;
    std::string id = token.id;
    editor_.put_token(std::move(token));
    return id;
  }

  Result<Outcome> admit_new(const AdmitNode& op) {
    const AdmissionRequest& request = op.request;
    if (state_.node_by_uid(op.uid) != nullptr) return make_error(Errc::internal, "node uid " + op.uid + " is taken");
    const Node* living = state_.node(request.node_name);  // is being replaced
    const auto blocks = blocks_for(op, living);
    if (!blocks) return blocks.error();
    Node node;
    node.name = request.node_name;
    node.uid = op.uid;
    node.generation = op.generation;
    node.role = request.role;
    node.address = request.address;
    node.machine_id = request.machine_id;
    node.pod_cidr = blocks->primary;
    node.second_pod_cidr = blocks->second;
    node.joined_at = request.maturity.now;
    node.pool = living != nullptr ? living->pool : request.pool;
    node.token_id = take_token(request);
    node.identity = KeyDigest(request.spkis.at(CertUsage::agent));
    if (living != nullptr) node.extras = living->extras;
    if (living != nullptr) bury(editor_, *living, request.maturity.now);
    editor_.erase_pending(request.node_name);
    if (const Status put = record_certificates(editor_, node, op.certificates); !put) return put.error();
    Outcome outcome = put(std::move(node), true);
    outcome.notes = blocks->notes;
    return outcome;
  }

  // A known identity key: the same node with the same block, perhaps at another address.
  Result<Outcome> admit_again(const AdmitNode& op) {
    Node node = *state_.node(op.request.node_name);
    const std::string& spki = op.request.spkis.at(CertUsage::agent);
    if (node.identity != spki) std::swap(node.identity, node.previous_identity);
    const PackedSerial* old = node.certificates.find(CertUsage::agent);
    node.previous_agent_serial = old == nullptr ? PackedSerial() : *old;
    const bool moved = node.address != op.request.address;
    node.address = op.request.address;
    if (node.machine_id.empty()) node.machine_id = op.request.machine_id;
    if (const Status put = record_certificates(editor_, node, op.certificates); !put) return put.error();
    end_rotation(state_, node);
    return put(std::move(node), moved);
  }

  Status check_artifact(const proto::Artifact& artifact) const {
    const auto names = component_names();
    if (std::find(names.begin(), names.end(), artifact.component) == names.end()) {
      return field_error("/component", ": \"" + artifact.component.substr(0, 64) + "\" is no component: " + join(names, ", "));
    }
    const bool version_ok = !artifact.version.empty() && artifact.version.size() <= 64 && artifact.version.front() != '.' &&
                            artifact.version.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz.+-~") == std::string::npos;
    if (!version_ok) return field_error("/version", ": \"" + artifact.version.substr(0, 64) + "\" is not a version, as in 1.20.2");
    const bool digest_ok = artifact.sha256.size() == 64 && artifact.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!digest_ok) return field_error("/sha256", ": an artifact needs its SHA-256 as 64 lower-case hex digits");
    if (artifact.format != "file" && artifact.format != "tar") {
      return field_error("/format", ": the format of an artifact is file or tar, not \"" + artifact.format.substr(0, 64) + "\"");
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
    for (const CompactCertificate record : state_.certificates()) {
      if (record.not_after >= before) continue;
      const Node* node = record.node_uid.empty() ? nullptr : state_.node_by_uid(record.node_uid);
      const auto current = node == nullptr ? std::nullopt : state_.current_certificate(*node, record.usage);
      if (current && current->serial == record.serial) continue;
      over.push_back(record.serial_hex());
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
