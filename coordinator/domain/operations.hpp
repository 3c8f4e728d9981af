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

// New certificates for a live node that showed `presented_serial` over mutual TLS.
struct RecordRenewal {
  std::string uid;
  std::uint64_t generation = 0;
  std::string presented_serial;
  std::vector<IssuedCertificate> certificates;
};

// Certificates of operators and of the coordinator itself.
struct RecordCertificate {
  IssuedCertificate certificate;
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

// Housekeeping: matured blocks are free again; tokens and certificates whose end is past by `keep` are forgotten.
struct Sweep {
  Maturity maturity;
  Seconds keep{7 * 86400};
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
                               RecordCertificate, DeleteNode, PutArtifact, Sweep, ChangeCa>;

struct Outcome {
  bool changed = false;
  std::uint64_t revision = 0;  // of the state that holds the outcome
  std::optional<Node> node;    // AdmitNode, RecordRenewal: as it is now; DeleteNode: as it was
};

// On success `changes` gets the records to store, in order; on an error neither it nor the state changed.
Result<Outcome> apply(State& state, const Operation& operation, std::vector<Change>& changes);

}  // namespace slipway
