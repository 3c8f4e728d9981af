#include "agent/domain/desired_merge.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "proto/nodes_mark.hpp"

namespace slipway {

namespace {

using Nodes = std::map<std::string, proto::PeerNode>;  // by uid

Nodes by_uid(std::vector<proto::PeerNode> nodes) {
  Nodes all;
  for (proto::PeerNode& node : nodes) {
    std::string uid = node.uid;
    all.insert_or_assign(std::move(uid), std::move(node));
  }
  return all;
}

std::vector<proto::PeerNode> by_name(Nodes nodes) {
  std::vector<proto::PeerNode> all;
  all.reserve(nodes.size());
  for (auto& [uid, node] : nodes) all.push_back(std::move(node));
  std::sort(all.begin(), all.end(), [](const proto::PeerNode& a, const proto::PeerNode& b) { return a.name < b.name; });
  return all;
}

void take_out(Nodes& nodes, const proto::GoneNode& gone) {
  const auto held = nodes.find(gone.uid);
  if (held != nodes.end() && held->second.generation == gone.generation) nodes.erase(held);
}

void put_in(Nodes& nodes, const proto::PeerNode& node) {
  const auto held = nodes.find(node.uid);
  if (held != nodes.end() && held->second.generation > node.generation) return;
  nodes.insert_or_assign(node.uid, node);
}

template <class T> void take_over(T& held, const std::optional<T>& changed) {
  if (changed) held = *changed;
}

void take_over_settings(proto::DesiredState& state, const proto::DesiredDelta& delta) {
  take_over(state.cluster, delta.cluster);
  take_over(state.components, delta.components);
  take_over(state.pod_ranges, delta.pod_ranges);
  take_over(state.cas, delta.cas);
  take_over(state.overrides, delta.overrides);
  take_over(state.artifact_manifest, delta.artifact_manifest);
  for (const proto::PeerNode& node : delta.up) {
    const auto own = delta.up_overrides.find(node.name);
    if (own == delta.up_overrides.end()) state.overrides.erase(node.name);
    else state.overrides.insert_or_assign(node.name, own->second);
  }
}

Error does_not_fit(const std::string& why) {
  return make_error(Errc::conflict, "the coordinator's changes do not fit what this node has: " + why + "; the whole desired state is asked for");
}

}  // namespace

Result<proto::DesiredState> merged(proto::DesiredState held, const proto::DesiredDelta& delta) {
  if (delta.epoch != held.epoch || delta.from != held.revision || delta.to <= delta.from) {
    return does_not_fit("revision " + std::to_string(delta.from) + " to " + std::to_string(delta.to) + " of epoch " + delta.epoch + " after " +
                        std::to_string(held.revision) + " of " + held.epoch);
  }
  Nodes nodes = by_uid(std::move(held.nodes));
  for (const proto::GoneNode& gone : delta.del) take_out(nodes, gone);
  for (const proto::PeerNode& node : delta.up) put_in(nodes, node);
  held.nodes = by_name(std::move(nodes));
  const proto::NodesMark mark = proto::mark_of(held.nodes);
  if (mark.count != delta.node_count || mark.hash() != delta.nodes_hash) {
    return does_not_fit(std::to_string(mark.count) + " nodes with hash " + mark.hash() + " in the place of " + std::to_string(delta.node_count) + " with " +
                        delta.nodes_hash);
  }
  take_over_settings(held, delta);
  held.revision = delta.to;
  held.node_count = delta.node_count;
  held.nodes_hash = delta.nodes_hash;
  return held;
}

Status check_nodes(const proto::DesiredState& state) {
  const proto::NodesMark mark = proto::mark_of(state.nodes);
  const bool whole = mark.count == state.node_count.value_or(mark.count) && mark.hash() == state.nodes_hash.value_or(mark.hash());
  if (whole) return {};
  return make_error(Errc::corrupt, "the coordinator's desired state is not whole: " + std::to_string(mark.count) + " nodes with hash " + mark.hash() +
                                       ", it says " + std::to_string(state.node_count.value_or(0)) + " with " + state.nodes_hash.value_or(""));
}

bool tells_more(const proto::DesiredState& held, const proto::DesiredDelta& delta) {
  return std::min(delta.form, proto::k_desired_form) > held.form.value_or(0);
}

}  // namespace slipway
