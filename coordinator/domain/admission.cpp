#include "coordinator/domain/admission.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::uint32_t k_full_queue_wait = 300;  // seconds

using Decision = PendingNode::Decision;

AdmissionVerdict refuse(const std::string& node_name, Error error, JoinStage stage, std::string cure = {}) {
  std::string reason = error.message;
  if (cure.empty()) cure = usual_cure(stage, error.cause, node_name);
  return {std::move(error), std::move(reason), stage, std::move(cure)};
}

std::string place_of_csr(CertUsage usage) { return "/csrs/" + std::string(to_string(usage)); }

// Texts or digests.
template <class Key> bool knows(const Key& identity, const Key& previous, const std::string& spki) {
  return !spki.empty() && (identity == spki || previous == spki);
}

Status check_usages(NodeRole role, const std::map<CertUsage, std::string>& spkis) {
  const auto& allowed = role == NodeRole::master ? usages_of_master() : usages_of_node();
  for (const auto& [usage, spki] : spkis) {
    if (std::find(allowed.begin(), allowed.end(), usage) != allowed.end()) continue;
    return pointing_to(place_of_csr(usage), make_error(Errc::denied, "a " + std::string(to_string(role)) + " gets no certificate for " +
                                                                         std::string(to_string(usage))));
  }
  return {};
}

// A join brings a request for each certificate of its role.
Status check_complete(const AdmissionRequest& request) {
  for (const CertUsage usage : request.role == NodeRole::master ? usages_of_master() : usages_of_node()) {
    if (request.spkis.contains(usage)) continue;
    return field_error(place_of_csr(usage), " is missing: a " + std::string(to_string(request.role)) + " asks for each certificate of its role");
  }
  return check_usages(request.role, request.spkis);
}

// "n1 (10.77.0.21)"
std::string shown(const std::string& name, const IpAddress& address) { return name + " (" + address.to_string() + ")"; }

Error at_machine_id(Error error) { return pointing_to("/facts/machineId", std::move(error)); }
Error at_address(Error error) { return pointing_to("/address", std::move(error)); }
Error at_name(Error error) { return pointing_to("/nodeName", std::move(error)); }

Error same_machine(const AdmissionRequest& request, const std::string& other, const IpAddress& where) {
  return at_machine_id(make_error(Errc::conflict, Cause::machine_taken, "nodes " + request.node_name + " and " + other + " have the same machine id: " +
                                        shown(request.node_name, request.address) + " or " + shown(other, where) +
                                        " is a copy of the other; remove /etc/machine-id there, run systemd-machine-id-setup and join again"));
}

// Hosts that wait for an operator's word have a place too.
Status check_place_of_waiting(const State& state, const AdmissionRequest& request) {
  for (const auto& [name, other] : state.pending()) {
    if (name == request.node_name || other.decision == Decision::denied) continue;
    if (other.address == request.address) {
      return at_address(make_error(Errc::conflict, Cause::address_taken, "address " + request.address.to_string() + " of node " + request.node_name +
                                                                             " is that of " + name + ", which waits for approval: set nodeAddress, or slipwayctl node deny " + name));
    }
    if (!request.machine_id.empty() && other.machine_id == request.machine_id) return same_machine(request, name, other.address);
  }
  return {};
}

// Where the node is and which machine it is: right by the rules, and no other live node's.
Status check_place(const State& state, const AdmissionRequest& request) {
  const ProfileCluster cluster = profile_cluster(state.cluster(), state.identity().id);
  ProfileNode node;
  node.name = request.node_name;
  node.master = request.role == NodeRole::master;
  if (const auto allowed = check_node_address(cluster, node, request.address); !allowed) return at_address(allowed.error());
  if (const Node* other = state.node_by_address(request.address); other != nullptr && other->name != request.node_name) {
    return at_address(make_error(Errc::conflict, Cause::address_taken, "address " + request.address.to_string() + " of node " + request.node_name +
                                                                           " is that of the live node " + other->name + ": set nodeAddress, or slipwayctl node delete " +
                                                                           other->name + " if it is no more"));
  }
  if (const AddressPool* pool = state.ledger().pool_at(request.address)) {
    return at_address(make_error(Errc::conflict, Cause::address_taken, "address " + request.address.to_string() + " of node " + request.node_name + " lies in pool " +
                                                                           pool->record().name + " of pod addresses: set nodeAddress to the host's address on the nodes' network"));
  }
  if (!request.machine_id.empty()) {
    const Node* other = state.node_by_machine_id(request.machine_id);
    if (other != nullptr && other->name != request.node_name) return same_machine(request, other->name, other->address);
  }
  return check_place_of_waiting(state, request);
}

// What the host routes elsewhere it cannot route to pods or services. And who takes over a cluster with nodes reads theirs first.
Status check_ranges(const State& state, const AdmissionRequest& request) {
  if (state.cluster().spec.network.adopt_nodes && !state.nodes_imported()) {
    return make_error(Errc::unavailable, "the pod ranges of the nodes that are there have not been read yet (network.adoptNodes), so that nobody gets one of "
                                         "them: waiting for kube-apiserver at " + state.cluster().spec.api_server.endpoint);
  }
  const auto problems = overlap_problems(state.ledger().ranges(), request.host_routes);
  if (!problems.empty()) {
    return pointing_to("/facts/hostRoutes", make_error(Errc::conflict, Cause::range_overlap, "pod addresses " + problems.front() +
                                                                                                 " for it on that host, or another pool of pods"));
  }
  const auto of_services = overlap_problems({state.cluster().service_cidr}, request.host_routes);
  if (of_services.empty()) return {};
  return pointing_to("/facts/hostRoutes", make_error(Errc::conflict, Cause::range_overlap, "service addresses " + of_services.front() +
                                                                                               " for it on that host (network.serviceCIDR cannot move)"));
}

bool good_for_long(const State& state, const CompactCertificate& record, WallTime now) {
  const double life = static_cast<double>((record.not_after - record.not_before).count());
  const auto renew = Seconds(static_cast<Seconds::rep>(life * state.cluster().spec.certificates.renew_at));
  return now < record.not_before + renew;
}

// Of one that is on its way out nothing is given out again.
bool of_signing_ca(const State& state, const CompactCertificate& record) {
  const CaLine* line = state.ca(ca_of(record.usage));
  return line == nullptr || record.ca == line->signing.number;
}

AdmissionKind kind_for(const State& state, const Node& node, const std::map<CertUsage, std::string>& spkis, WallTime now) {
  const bool same = std::all_of(spkis.begin(), spkis.end(), [&](const auto& wanted) {
    const auto record = state.current_certificate(node, wanted.first);
    const bool same_key = record && to_hex(record->spki_sha256) == wanted.second;
    return same_key && good_for_long(state, *record, now) && of_signing_ca(state, *record);
  });
  return same ? AdmissionKind::same_certificates : AdmissionKind::new_certificates;
}

// The API server, etcd and everybody's settings know a master by its address. Whoever lets nodes follow their address trusts its network
// to give addresses to the right hosts; an operator may not.
Status check_may_move(const State& state, const Node& node, const IpAddress& address) {
  const std::string from = node.address.to_string(), to = address.to_string();
  if (node.role == NodeRole::master) {
    return at_address(make_error(Errc::denied, "node " + node.name + " is a master and cannot move from " + from + " to " + to +
                                                   ": the address of a master is static (it stands in apiServer.endpoint, in etcd and in certificates); give the host " +
                                                   from + " back"));
  }
  if (state.cluster().spec.network.address_change != "refuse") return {};
  return at_address(make_error(Errc::denied, "node " + node.name + " is registered at " + from + " and comes from " + to + ", and network.addressChange is refuse: give the host " +
                                                 from + " back, or slipwayctl node replace " + node.name + ", or set network.addressChange to follow"));
}

Error another_role(const std::string& name, NodeRole role) {
  return pointing_to("/role", make_error(Errc::conflict, Cause::fixed, "node " + name + " is registered as a " + std::string(to_string(role)) +
                                                                           ": slipwayctl node delete " + name + " first to change its role"));
}

AdmissionVerdict admit_known(const State& state, const Node& node, const AdmissionRequest& request) {
  if (node.role != request.role) return refuse(node.name, another_role(node.name, node.role), JoinStage::name);
  // The address stands in certificates: another one needs new ones.
  const bool moved = node.address != request.address;
  const Status may = moved ? check_may_move(state, node, request.address) : Status{};
  const Status place = may ? check_place(state, request) : may;
  if (!place) return refuse(request.node_name, place.error(), JoinStage::place);
  const auto kind = moved ? AdmissionKind::new_certificates : kind_for(state, node, request.spkis, request.maturity.now);
  return {Admission{kind, node.uid, node.generation}, ""};
}

// With a token that does not count. A key that was a deleted or replaced node's gets a clear answer: it has proved to be that
// node.
AdmissionVerdict refuse_token(const State& state, const AdmissionRequest& request, std::string reason, std::string cure) {
  const std::string& spki = request.spkis.at(CertUsage::agent);
  const Tombstone* grave = state.tombstone(request.node_name);
  const Node* replaced = state.node(request.node_name);
  const bool dead = grave != nullptr && knows(grave->identity, grave->previous_identity, spki);
  const bool ousted = replaced != nullptr && knows(replaced->identity, replaced->previous_identity, spki);
  if (dead || ousted) {
    const std::string what = dead ? "was deleted from the cluster or replaced" : "is being replaced";
    return {make_error(Errc::gone, "node " + request.node_name + " " + what + ": to come back this host must join with a new token"),
            "a host that " + what + " came without a valid token (" + std::move(reason) + ")", JoinStage::token, std::move(cure)};
  }
  return {pointing_to("/token", make_error(Errc::denied, k_token_refused)), "token " + std::move(reason), JoinStage::token, std::move(cure)};
}

// Nobody else is, or waits to be, the node of this name; who is being replaced gives way to a host of its role and pool.
Status check_name_free(const State& state, const AdmissionRequest& request) {
  const std::string& name = request.node_name;
  if (const Node* living = state.node(name); living != nullptr) {
    if (!living->replacing) {
      return at_name(make_error(Errc::conflict, Cause::name_taken, "node " + name + " lives at " + living->address.to_string() + " with another key than this host at " +
                                                                       request.address.to_string() + " has: slipwayctl node replace " + name +
                                                                       " if this host takes its place, slipwayctl node delete " + name +
                                                                       " if it is no more, or choose another name"));
    }
    if (living->role != request.role) return another_role(name, living->role);
    if (!request.pool.empty() && request.pool != living->pool) {
      return make_error(Errc::conflict, "node " + name + " is being replaced in pool \"" + living->pool + "\", the token is for pool \"" +
                                            request.pool + "\": slipwayctl node delete " + name + " first to change the pool");
    }
  }
  const PendingNode* waiting = state.pending_node(name);
  if (waiting == nullptr || waiting->decision == Decision::denied || waiting->fingerprint == request.spkis.at(CertUsage::agent)) return {};
  return at_name(make_error(Errc::conflict, Cause::name_taken, "another host at " + waiting->address.to_string() + " with the key " + waiting->fingerprint +
                                        " waits for approval as node " + name + ": slipwayctl node deny " + name +
                                        " first if this host at " + request.address.to_string() + " is the right one"));
}

AdmissionVerdict admit_new(const State& state, const AdmissionRequest& request) {
  if (const auto free = check_name_free(state, request); !free) return refuse(request.node_name, free.error(), JoinStage::name);
  const ProfileCluster cluster = profile_cluster(state.cluster(), state.identity().id);
  const auto name = check_node_name(cluster, request.node_name, request.role == NodeRole::master);
  if (!name) return refuse(request.node_name, at_name(name.error()), JoinStage::name);
  if (const auto place = check_place(state, request); !place) return refuse(request.node_name, place.error(), JoinStage::place);
  if (const auto ranges = check_ranges(state, request); !ranges) {
    const bool waits = ranges.error().code == Errc::unavailable;
    return refuse(request.node_name, ranges.error(), JoinStage::place, waits ? "start kube-apiserver, then the host comes in by itself: slipwayctl health" : "");
  }
  const Node* replaced = state.node(request.node_name);
  if (replaced != nullptr) return {Admission{AdmissionKind::new_node, "", replaced->generation + 1}, ""};
  const auto block = state.ledger().can_allocate({request.node_name, request.role, request.pool}, request.maturity);
  if (!block) return refuse(request.node_name, block.error(), JoinStage::block);
  const Tombstone* grave = state.tombstone(request.node_name);
  return {Admission{AdmissionKind::new_node, "", grave == nullptr ? 1 : grave->generation + 1}, ""};
}

bool is_manual(const State& state) { return state.cluster().spec.admission == "manual"; }

AdmissionVerdict wait_for_approval(const std::string& name) {
  AdmissionVerdict verdict{Admission{AdmissionKind::wait, "", 1}, "waits for an operator's approval"};
  verdict.stage = JoinStage::approval;
  verdict.cure = "slipwayctl node approve " + name + ", or slipwayctl node deny " + name;
  return verdict;
}

// A host that has shown a valid token before and now the same key again.
AdmissionVerdict admit_pending(const State& state, const PendingNode& node, const AdmissionRequest& request) {
  if (node.role != request.role) {
    return refuse(node.name, pointing_to("/role", make_error(Errc::conflict, Cause::fixed, "node " + node.name + " waits for approval as a " + std::string(to_string(node.role)))),
                  JoinStage::name, "set role on the host, or slipwayctl node deny " + node.name);
  }
  if (node.decision == Decision::denied) {
    return refuse(node.name, make_error(Errc::denied, Cause::host_denied, "an operator refused node " + node.name + (node.reason.empty() ? "" : ": " + node.reason) +
                                               "; if that was a mistake: slipwayctl node approve " + node.name),
                  JoinStage::approval, "slipwayctl node approve " + node.name + " if that was a mistake");
  }
  AdmissionVerdict verdict = admit_new(state, request);
  if (!verdict.result || node.decision == Decision::approved || !is_manual(state)) return verdict;
  return wait_for_approval(node.name);
}

std::string cure_of_name(Cause cause, const std::string& name) {
  if (cause == Cause::fixed) return "set role on the host to what node " + name + " is, or slipwayctl node delete " + name;
  if (cause != Cause::name_taken) return "set another nodeName on the host";
  return "slipwayctl node replace " + name + " if the host takes its place, slipwayctl node delete " + name + " if that is no more, slipwayctl node deny " +
         name + " if it waits and is the wrong one; or set another nodeName on the host";
}

std::string cure_of_place(Cause cause) {
  switch (cause) {
    case Cause::machine_taken: return "on the host that is the copy remove /etc/machine-id, run systemd-machine-id-setup and join again";
    case Cause::address_taken: return "set nodeAddress on the host to an address of its own on the nodes' network, or slipwayctl node delete the node that has it";
    case Cause::range_overlap: return "give that network of the host another range, or the nodes another pool (slipwayctl pool create)";
    case Cause::none: return "set nodeAddress on the host to its address on the nodes' network; network.nodeCIDRs says which addresses these are";
    default: return "slipwayctl node get tells where the nodes are";
  }
}

}  // namespace

std::string_view to_string(JoinStage stage) {
  switch (stage) {
    case JoinStage::request: return "request";
    case JoinStage::limits: return "limits";
    case JoinStage::csr: return "csr";
    case JoinStage::address: return "address";
    case JoinStage::token: return "token";
    case JoinStage::name: return "name";
    case JoinStage::place: return "place";
    case JoinStage::block: return "block";
    case JoinStage::approval: return "approval";
    case JoinStage::signing: return "signing";
    case JoinStage::recording: return "recording";
    case JoinStage::joined: return "joined";
  }
  return "request";
}

std::string usual_cure(JoinStage stage, Cause cause, const std::string& node_name) {
  constexpr const char* k_fitting = "install a slipway-agent on the host that fits this coordinator";
  switch (stage) {
    case JoinStage::request: return std::string("set role, nodeName and nodeAddress on the host (/etc/slipway/agent.yaml), or ") + k_fitting;
    case JoinStage::limits: return "if no host of yours does this, somebody guesses: block the address";
    case JoinStage::csr: return k_fitting;
    case JoinStage::address: return "set nodeAddress on the host to the address by which it reaches the coordinator; behind NAT, list the gateway's in network.natSources";
    case JoinStage::token: return "slipwayctl token create, and put the token on the host";
    case JoinStage::name: return cure_of_name(cause, node_name);
    case JoinStage::place: return cure_of_place(cause);
    case JoinStage::block: return "slipwayctl node delete what is gone, or slipwayctl pool grow";
    case JoinStage::approval: return "slipwayctl node approve " + node_name + ", or slipwayctl node deny " + node_name;
    case JoinStage::signing: return "slipwayctl certs check-expiration, and read the coordinator's log: journalctl -u slipway-coordinator";
    case JoinStage::recording: return "has the coordinator's disk room? journalctl -u slipway-coordinator; the host asks again by itself";
    case JoinStage::joined: return "";
  }
  return "";
}

std::string pool_of(const State& state, const AdmissionRequest& request) {
  const PendingNode* waiting = state.pending_node(request.node_name);
  const auto spki = request.spkis.find(CertUsage::agent);
  if (waiting != nullptr && spki != request.spkis.end() && waiting->fingerprint == spki->second) return waiting->pool;
  const JoinToken* token = request.token ? state.token(request.token->id) : nullptr;
  return token == nullptr ? std::string() : token->pool;
}

Status check_move(const State& state, const Node& node, const IpAddress& address) {
  if (address == node.address) return {};
  if (const Status may = check_may_move(state, node, address); !may) return may;
  AdmissionRequest place;
  place.node_name = node.name;
  place.role = node.role;
  place.address = address;
  return check_place(state, place);
}

Result<Admission> plan_renewal(const State& state, const std::string& uid, std::uint64_t generation, const std::string& serial,
                               const std::map<CertUsage, std::string>& spkis, WallTime now, const std::optional<IpAddress>& address) {
  const auto node = state.authenticate_agent(uid, generation, serial, now);
  if (!node) return node.error();
  if (spkis.empty()) return field_error("/csrs", " is empty: there is no certificate request");
  if (const auto usages = check_usages((*node)->role, spkis); !usages) return usages.error();
  const bool moves = address && *address != (*node)->address;
  if (!moves) return Admission{kind_for(state, **node, spkis, now), uid, generation};
  if (const Status may = check_move(state, **node, *address); !may) return may.error();
  if (!spkis.contains(CertUsage::kubelet_serving)) {
    return field_error(place_of_csr(CertUsage::kubelet_serving), " is missing: the address of a node stands in that certificate");
  }
  return Admission{AdmissionKind::new_certificates, uid, generation};
}

TokenVerdict check_presented_token(const State& state, const PresentedToken& token, const TokenUse& use, WallTime now) {
  return check_token(state.token(token.id), token, use, now);
}

AdmissionVerdict admit(const State& state, const AdmissionRequest& request) {
  if (!state.has_cluster()) {
    return refuse(request.node_name, make_error(Errc::unavailable, "there is no cluster yet: slipway-coordinator init makes one"), JoinStage::request,
                  "slipway-coordinator init");
  }
  if (const auto usages = check_complete(request); !usages) return refuse(request.node_name, usages.error(), JoinStage::csr);
  const std::string& spki = request.spkis.at(CertUsage::agent);
  const Node* living = state.node(request.node_name);
  const bool known = living != nullptr && !living->replacing && knows(living->identity, living->previous_identity, spki);
  if (known) return admit_known(state, *living, request);
  const PendingNode* waiting = state.pending_node(request.node_name);
  if (waiting != nullptr && waiting->fingerprint == spki) return admit_pending(state, *waiting, request);
  // The token comes before all else that the state could tell: who has none learns no names.
  if (!request.token) return refuse_token(state, request, "missing", "put a join token on the host: slipwayctl token create");
  const TokenUse use{request.node_name, request.role, request.from.value_or(request.address)};
  const TokenVerdict token = check_presented_token(state, *request.token, use, request.maturity.now);
  if (token != TokenVerdict::valid) return refuse_token(state, request, std::string(to_string(token)), std::string(cure_of(token)));
  AdmissionVerdict verdict = admit_new(state, request);
  if (!verdict.result || !is_manual(state)) return verdict;
  if (state.pending().size() >= k_max_pending && waiting == nullptr) {
    Error full = make_error(Errc::too_many, std::to_string(k_max_pending) + " hosts wait for approval already: an operator has to decide on some first");
    full.retry_after = k_full_queue_wait;
    return refuse(request.node_name, std::move(full), JoinStage::approval, "slipwayctl node list --all; slipwayctl node approve or deny them");
  }
  return wait_for_approval(request.node_name);
}

}  // namespace slipway
