#include "coordinator/domain/audit.hpp"

namespace slipway {

namespace {

// Names, and what each operation says of itself. The last overload takes what has none.
struct Namer {
  std::string_view operator()(const InitCluster&) const { return "cluster.init"; }
  std::string_view operator()(const ApplyCluster&) const { return "cluster.apply"; }
  std::string_view operator()(const CreateToken&) const { return "token.create"; }
  std::string_view operator()(const DeleteToken&) const { return "token.delete"; }
  std::string_view operator()(const AdmitNode& op) const { return op.kind == AdmissionKind::new_node ? "node.join" : "node.rejoin"; }
  std::string_view operator()(const RecordRenewal& op) const { return op.address ? "node.move" : "certificate.renew"; }
  std::string_view operator()(const RecordCertificate&) const { return "certificate.issue"; }
  std::string_view operator()(const DeleteNode&) const { return "node.delete"; }
  std::string_view operator()(const PutArtifact&) const { return "artifact.register"; }
  std::string_view operator()(const DeleteArtifact&) const { return "artifact.delete"; }
  std::string_view operator()(const PutManifest&) const { return "artifact.manifest"; }
  std::string_view operator()(const CreatePool&) const { return "pool.create"; }
  std::string_view operator()(const GrowPool&) const { return "pool.grow"; }
  std::string_view operator()(const DrainPool& op) const { return op.draining ? "pool.drain" : "pool.resume"; }
  std::string_view operator()(const DeletePool&) const { return "pool.delete"; }
  std::string_view operator()(const HoldBlock&) const { return "pool.hold"; }
  std::string_view operator()(const ReleaseHold&) const { return "pool.release"; }
  std::string_view operator()(const ImportNodes&) const { return "pool.import"; }
  std::string_view operator()(const SamplePools&) const { return "housekeeping"; }
  std::string_view operator()(const RevokeOperator&) const { return "operator.revoke"; }
  std::string_view operator()(const QueueNode&) const { return "node.wait"; }
  std::string_view operator()(const DecideNode& op) const { return op.approve ? "node.approve" : "node.deny"; }
  std::string_view operator()(const ReplaceNode&) const { return "node.replace"; }
  std::string_view operator()(const CordonNode& op) const { return op.unschedulable ? "node.cordon" : "node.uncordon"; }
  std::string_view operator()(const RotateCertificates&) const { return "certificate.rotate"; }
  std::string_view operator()(const SetNodeSettings&) const { return "node.config"; }
  std::string_view operator()(const RecordMarks&) const { return "housekeeping"; }
  std::string_view operator()(const ChangeCa& op) const {
    switch (op.step) {
      case CaStep::adopt: return "ca.adopt";
      case CaStep::prepare: return "ca.prepare";
      case CaStep::activate: return "ca.activate";
      case CaStep::abort: return "ca.abort";
      case CaStep::retire: return "ca.retire";
    }
    return "ca.change";
  }
  std::string_view operator()(const Sweep&) const { return "housekeeping"; }
  template <class Other> std::string_view operator()(const Other&) const { return "change"; }
};

void add(proto::AuditRecord& record, const std::vector<IssuedCertificate>& certificates) {
  for (const IssuedCertificate& issued : certificates) {
    record.certificates.push_back({std::string(to_string(issued.record.usage)), issued.record.serial, issued.record.sha256,
                                   issued.record.spki_sha256, to_rfc3339(issued.record.not_after), issued.names});
  }
}

struct Describer {
  proto::AuditRecord& record;

  void operator()(const InitCluster& op) const { record.subject = op.spec.metadata.name; }
  void operator()(const ApplyCluster& op) const { record.subject = op.spec.metadata.name; }
  void operator()(const CreateToken& op) const {
    const JoinToken& token = op.token;
    record.subject = token.id;
    record.detail = "role " + std::string(to_string(token.role)) + ", " + std::to_string(token.max_uses) + " uses, until " +
                    to_rfc3339(token.expires_at) + (token.node.empty() ? "" : ", for node " + token.node);
  }
  void operator()(const DeleteToken& op) const { record.subject = op.id; }
  void operator()(const AdmitNode& op) const { add(record, op.certificates); }
  void operator()(const RecordRenewal& op) const { add(record, op.certificates); }
  void operator()(const RecordCertificate& op) const {
    record.subject = op.certificate.record.subject;
    add(record, {op.certificate});
  }
  void operator()(const DeleteNode& op) const { record.node = op.name; }
  void operator()(const PutArtifact& op) const {
    record.subject = artifact_key(op.artifact.component, op.artifact.version);
    record.detail = "sha256 " + op.artifact.sha256;
  }
  void operator()(const DeleteArtifact& op) const { record.subject = artifact_key(op.component, op.version); }
  void operator()(const PutManifest& op) const { record.subject = "number " + std::to_string(op.manifest.number); }
  void operator()(const CreatePool& op) const { record.subject = op.pool.name; }
  void operator()(const GrowPool& op) const { record.subject = op.name; }
  void operator()(const DrainPool& op) const { record.subject = op.name; }
  void operator()(const DeletePool& op) const { record.subject = op.name; }
  void operator()(const HoldBlock& op) const {
    record.subject = op.hold.block.to_string();
    record.node = op.hold.node;
    record.detail = op.hold.note;
  }
  void operator()(const ReleaseHold& op) const { record.subject = op.block.to_string(); }
  void operator()(const RevokeOperator& op) const { record.subject = op.user; }
  void operator()(const QueueNode& op) const {
    record.node = op.request.node_name;
    record.detail = "address " + op.request.address.to_string();
  }
  void operator()(const DecideNode& op) const {
    record.node = op.name;
    record.detail = op.reason;
  }
  void operator()(const ReplaceNode& op) const {
    record.node = op.name;
    record.subject = op.token.id;
  }
  void operator()(const CordonNode&) const { record.detail.clear(); }
  void operator()(const RotateCertificates& op) const {
    record.node = op.name;
    record.detail = (op.name.empty() ? "all nodes, " : "") + std::string("those that begin before ") + to_rfc3339(op.before);
  }
  void operator()(const ChangeCa& op) const {
    record.subject = to_string(op.kind);
    const bool brings_one = op.step == CaStep::adopt || op.step == CaStep::prepare;
    if (brings_one) record.detail = "number " + std::to_string(op.facts.number) + ", sha256 " + op.facts.sha256;
    if (op.step == CaStep::retire && op.force) record.detail = "forced";
  }
  template <class Other> void operator()(const Other&) const {}
};

}  // namespace

std::string_view audit_action(const Operation& operation) { return std::visit(Namer{}, operation); }

std::optional<proto::AuditRecord> audit_record(const Operation& operation, const Outcome& outcome, proto::AuditActor actor) {
  if (!outcome.changed || std::holds_alternative<Sweep>(operation) || std::holds_alternative<SamplePools>(operation) || std::holds_alternative<RecordMarks>(operation)) return std::nullopt;
  proto::AuditRecord record;
  record.action = audit_action(operation);
  record.actor = std::move(actor);
  if (outcome.node) {
    record.node = outcome.node->name;
    record.generation = outcome.node->generation;
    record.detail = "uid " + outcome.node->uid + ", address " + outcome.node->address.to_string() + ", pod CIDR " +
                    outcome.node->pod_cidr.to_string();
  }
  if (std::holds_alternative<AdmitNode>(operation) || std::holds_alternative<RecordRenewal>(operation)) {
    for (const std::string& note : outcome.notes) record.detail += "; " + note;
  }
  std::visit(Describer{record}, operation);
  return record;
}

}  // namespace slipway
