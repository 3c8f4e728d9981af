#include "coordinator/domain/admission.hpp"

#include <algorithm>

namespace slipway {

namespace {

AdmissionVerdict refuse(Error error) {
  std::string reason = error.message;
  return {std::move(error), std::move(reason)};
}
AdmissionVerdict refuse(Errc code, const std::string& text, std::string reason) {
  return {make_error(code, text), std::move(reason)};
}

bool knows(const std::string& identity, const std::string& previous, const std::string& spki) {
  return !spki.empty() && (identity == spki || previous == spki);
}

Status check_usages(NodeRole role, const std::map<CertUsage, std::string>& spkis) {
  const auto& allowed = role == NodeRole::master ? usages_of_master() : usages_of_node();
  for (const auto& [usage, spki] : spkis) {
    if (std::find(allowed.begin(), allowed.end(), usage) != allowed.end()) continue;
    return make_error(Errc::denied, "a " + std::string(to_string(role)) + " gets no certificate for " + std::string(to_string(usage)));
  }
  return {};
}

// A join brings a request for each certificate of its role.
Status check_complete(const AdmissionRequest& request) {
  for (const CertUsage usage : request.role == NodeRole::master ? usages_of_master() : usages_of_node()) {
    if (request.spkis.contains(usage)) continue;
    return make_error(Errc::invalid, "the certificate request for " + std::string(to_string(usage)) + " is missing");
  }
  return check_usages(request.role, request.spkis);
}

// Where the node is and which machine it is: right by the rules, and no other live node's.
Status check_place(const State& state, const AdmissionRequest& request) {
  const ProfileCluster cluster = profile_cluster(state.cluster(), state.identity().id);
  ProfileNode node;
  node.name = request.node_name;
  node.master = request.role == NodeRole::master;
  if (const auto allowed = check_node_address(cluster, node, request.address); !allowed) return allowed;
  if (const Node* other = state.node_by_address(request.address); other != nullptr && other->name != request.node_name) {
    return make_error(Errc::conflict, "address " + request.address.to_string() + " of node " + request.node_name +
                                          " is that of the live node " + other->name + ": set nodeAddress, or slipwayctl node delete " +
                                          other->name + " if it is no more");
  }
  if (const AddressPool* pool = state.ledger().pool_at(request.address)) {
    return make_error(Errc::conflict, "address " + request.address.to_string() + " of node " + request.node_name + " lies in pool " + pool->record().name +
                                          " of pod addresses: set nodeAddress to the host's address on the nodes' network");
  }
  if (request.machine_id.empty()) return {};
  if (const Node* other = state.node_by_machine_id(request.machine_id); other != nullptr && other->name != request.node_name) {
    return make_error(Errc::conflict, "nodes " + request.node_name + " and " + other->name + " have the same machine id: one is a copy of " +
                                          "the other; remove /etc/machine-id there, run systemd-machine-id-setup and join again");
  }
  return {};
}

// What the host routes elsewhere it cannot route to pods. And who takes over a cluster with nodes reads theirs first.
Status check_ranges(const State& state, const AdmissionRequest& request) {
  if (state.cluster().spec.network.adopt_nodes && !state.nodes_imported()) {
    return make_error(Errc::unavailable, "the pod ranges of the nodes that are there have not been read yet (network.adoptNodes), so that nobody gets one of "
                                         "them: waiting for kube-apiserver at " + state.cluster().spec.api_server.endpoint);
  }
  const auto problems = overlap_problems(state.ledger().ranges(), request.host_routes);
  if (problems.empty()) return {};
  return make_error(Errc::conflict, "pod addresses " + problems.front() + " for it on that host, or another pool of pods");
}

bool good_for_long(const State& state, const CertificateRecord& record, WallTime now) {
  const double life = static_cast<double>((record.not_after - record.not_before).count());
  const auto renew = Seconds(static_cast<Seconds::rep>(life * state.cluster().spec.certificates.renew_at));
  return now < record.not_before + renew;
}

AdmissionKind kind_for(const State& state, const Node& node, const std::map<CertUsage, std::string>& spkis, WallTime now) {
  const bool same = std::all_of(spkis.begin(), spkis.end(), [&](const auto& wanted) {
    const CertificateRecord* record = state.current_certificate(node, wanted.first);
    return record != nullptr && record->spki_sha256 == wanted.second && good_for_long(state, *record, now);
  });
  return same ? AdmissionKind::same_certificates : AdmissionKind::new_certificates;
}

AdmissionVerdict admit_known(const State& state, const Node& node, const AdmissionRequest& request) {
  if (node.role != request.role) {
    return refuse(make_error(Errc::conflict, "node " + node.name + " is registered as a " + std::string(to_string(node.role)) +
                                                 ": slipwayctl node delete " + node.name + " first to change its role"));
  }
  if (const auto place = check_place(state, request); !place) return refuse(place.error());
  // The address stands in certificates: another one needs new ones.
  const bool moved = node.address != request.address;
  const auto kind = moved ? AdmissionKind::new_certificates : kind_for(state, node, request.spkis, request.maturity.now);
  return {Admission{kind, node.uid, node.generation}, ""};
}

// With a token that does not count. A key that was a deleted node's gets a clear answer: it has proved to be that node.
AdmissionVerdict refuse_token(const State& state, const AdmissionRequest& request, const std::string& spki, std::string_view reason) {
  const Tombstone* grave = state.tombstone(request.node_name);
  if (grave != nullptr && knows(grave->identity, grave->previous_identity, spki)) {
    return refuse(Errc::gone, "node " + request.node_name + " was deleted from the cluster: to come back it must join with a new token",
                  "deleted node without a valid token (" + std::string(reason) + ")");
  }
  return refuse(Errc::denied, k_token_refused, "token " + std::string(reason));
}

AdmissionVerdict admit_new(const State& state, const AdmissionRequest& request) {
  const Node* living = state.node(request.node_name);
  if (living != nullptr) {
    return refuse(make_error(Errc::conflict, "node " + request.node_name + " exists with another key; slipwayctl node delete " +
                                                 request.node_name + " first if this host replaces it, or choose another name"));
  }
  const ProfileCluster cluster = profile_cluster(state.cluster(), state.identity().id);
  const auto name = check_node_name(cluster, request.node_name, request.role == NodeRole::master);
  if (!name) return refuse(name.error());
  if (const auto place = check_place(state, request); !place) return refuse(place.error());
  if (const auto ranges = check_ranges(state, request); !ranges) return refuse(ranges.error());
  const auto block = state.ledger().can_allocate({request.node_name, request.role, request.pool}, request.maturity);
  if (!block) return refuse(block.error());
  const Tombstone* grave = state.tombstone(request.node_name);
  return {Admission{AdmissionKind::new_node, "", grave == nullptr ? 1 : grave->generation + 1}, ""};
}

}  // namespace

Result<Admission> plan_renewal(const State& state, const std::string& uid, std::uint64_t generation, const std::string& serial,
                               const std::map<CertUsage, std::string>& spkis, WallTime now) {
  const auto node = state.authenticate_agent(uid, generation, serial);
  if (!node) return node.error();
  if (spkis.empty()) return make_error(Errc::invalid, "there is no certificate request");
  if (const auto usages = check_usages((*node)->role, spkis); !usages) return usages.error();
  return Admission{kind_for(state, **node, spkis, now), uid, generation};
}

TokenVerdict check_presented_token(const State& state, const PresentedToken& token, std::string_view node_name, NodeRole role,
                                   WallTime now) {
  return check_token(state.token(token.id), token, node_name, role, now);
}

AdmissionVerdict admit(const State& state, const AdmissionRequest& request) {
  if (!state.has_cluster()) return refuse(make_error(Errc::unavailable, "there is no cluster yet: slipway-coordinator init makes one"));
  if (const auto usages = check_complete(request); !usages) return refuse(usages.error());
  const std::string& spki = request.spkis.at(CertUsage::agent);
  const Node* living = state.node(request.node_name);
  if (living != nullptr && knows(living->identity, living->previous_identity, spki)) return admit_known(state, *living, request);
  // The token comes before all else that the state could tell: who has none learns no names.
  if (!request.token) return refuse_token(state, request, spki, "missing");
  const TokenVerdict verdict = check_presented_token(state, *request.token, request.node_name, request.role, request.maturity.now);
  if (verdict != TokenVerdict::valid) return refuse_token(state, request, spki, to_string(verdict));
  return admit_new(state, request);
}

}  // namespace slipway
