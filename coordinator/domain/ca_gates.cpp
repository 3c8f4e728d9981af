#include "coordinator/domain/ca_gates.hpp"

#include <map>
#include <utility>

namespace slipway {

namespace {

struct Holders {
  const State& state;
  const CaLine& line;
  const std::set<std::string>& reported;
  WallTime now;
  std::vector<std::string> found = {};

  bool counts(const CompactCertificate& record) const {
    return ca_of(record.usage) == line.kind && record.not_after > now && !state.revoked_at(record);
  }
  bool of_other(const CompactCertificate& record) const { return record.ca == line.other->number; }

  void look_at(const Node& node) {
    if (node.replacing) return;
    for (const auto& [usage, serial] : node.certificates) {
      const auto record = state.certificates().find(serial);
      if (!record || !counts(*record)) continue;
      const std::string what = "node " + node.name + " (" + std::string(to_string(usage));
      if (of_other(*record)) {
        found.push_back(what + ")");
      } else if (reported.count(serial.hex()) == 0 && other_was_issued(node, usage)) {
        found.push_back(what + ", has not said that it uses the new one)");
      }
    }
  }

  // An answer to a renewal may have been lost: then the agent goes on with the one before.
  bool other_was_issued(const Node& node, CertUsage usage) const {
    const auto older = of_nodes.find({node.uid, usage});
    return older != of_nodes.end();
  }

  void look_at_all() {
    std::set<std::pair<std::string, CertUsage>> renewed;  // people's and components' that the signing one has made
    for (const CompactCertificate record : state.certificates()) {
      if (!counts(record)) continue;
      if (!record.node_uid.empty() && of_other(record)) of_nodes.insert({std::string(record.node_uid), record.usage});
      if (record.node_uid.empty() && !of_other(record)) renewed.insert({std::string(record.subject), record.usage});
    }
    for (const auto& [name, node] : state.nodes()) look_at(node);
    std::map<std::pair<std::string, CertUsage>, WallTime> people;
    for (const CompactCertificate record : state.certificates()) {
      // The coordinator replaces its own serving certificate at the retire.
      if (!record.node_uid.empty() || record.usage == CertUsage::coordinator_serving) continue;
      if (!counts(record) || !of_other(record) || renewed.count({std::string(record.subject), record.usage}) != 0) continue;
      WallTime& until = people[{std::string(record.subject), record.usage}];
      until = std::max(until, record.not_after);
    }
    for (const auto& [who, until] : people) {
      found.push_back(who.first + " (" + std::string(to_string(who.second)) + ", until " + to_rfc3339(until) + ")");
    }
  }

  // A host that waits for an operator asks again and again with the token that it came with, and its pin.
  void look_at_waiting() {
    if (line.kind != CaKind::fabric) return;
    for (const auto& [name, host] : state.pending()) {
      const JoinToken* token = state.token(host.token_id);
      const bool hopeful = token != nullptr && host.decision != PendingNode::Decision::denied;
      if (hopeful && token->pinned_ca == line.other->number) found.push_back("host " + name + " (waits to be admitted with join token " + token->id + ")");
    }
  }

  std::set<std::pair<std::string, CertUsage>> of_nodes = {};
};

}  // namespace

bool node_trusts(NodeRole role, CaKind kind) {
  return role == NodeRole::master || (kind != CaKind::etcd && kind != CaKind::front_proxy);
}

std::vector<std::string> nodes_waited_for(const State& state, CaKind kind, const std::set<std::string>& confirmed) {
  std::vector<std::string> names;
  for (const auto& [name, node] : state.nodes()) {
    if (node.replacing) continue;  // its identity is dead; who takes its place gets the bundle
    if (node_trusts(node.role, kind) && confirmed.count(node.uid) == 0) names.push_back(name);
  }
  return names;
}

std::vector<std::string> tokens_pinning(const State& state, const CaLine& line, WallTime now) {
  std::vector<std::string> ids;
  if (line.kind != CaKind::fabric || !line.other) return ids;
  for (const auto& [id, token] : state.tokens()) {
    const bool usable = token.expires_at > now && token.uses < token.max_uses;
    if (usable && token.pinned_ca == line.other->number) ids.push_back(id);
  }
  return ids;
}

std::vector<std::string> holders_of(const State& state, const CaLine& line, const std::set<std::string>& reported, WallTime now) {
  if (line.phase != CaPhase::replacing && line.phase != CaPhase::reverting) return {};
  Holders holders{state, line, reported, now};
  holders.look_at_all();
  for (const std::string& id : tokens_pinning(state, line, now)) {
    holders.found.push_back("join token " + id + " (until " + to_rfc3339(state.token(id)->expires_at) + ")");
  }
  holders.look_at_waiting();
  return std::move(holders.found);
}

}  // namespace slipway
