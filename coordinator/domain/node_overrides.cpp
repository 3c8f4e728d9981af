#include "coordinator/domain/node_overrides.hpp"

#include "coordinator/domain/name_pattern.hpp"

namespace slipway {

namespace {

bool is_in_pool(const State& state, const Node& node, const std::string& pool) {
  const AddressPool* const home = state.ledger().pool_of(node.pod_cidr);
  return home != nullptr && home->record().name == pool;
}

bool fits(const State& state, const Node& node, const proto::NodeGroupMatch& match) {
  if (!match.role.empty() && match.role != to_string(node.role)) return false;
  if (!match.name_pattern.empty() && !matches_pattern(match.name_pattern, node.name)) return false;
  return match.pool.empty() || is_in_pool(state, node, match.pool);
}

}  // namespace

std::vector<std::string> groups_of(const State& state, const Node& node) {
  std::vector<std::string> groups;
  for (const proto::NodeGroup& group : state.cluster().spec.node_groups) {
    if (fits(state, node, group.match)) groups.push_back(group.name);
  }
  return groups;
}

proto::NodeOverrides overrides_of(const State& state, const Node& node) {
  return {groups_of(state, node), node.extras.get().settings};
}

std::map<std::string, proto::NodeOverrides> all_overrides(const State& state) {
  std::map<std::string, proto::NodeOverrides> all;
  for (const auto& [name, node] : state.nodes()) {
    proto::NodeOverrides own = overrides_of(state, node);
    if (own != proto::NodeOverrides{}) all.emplace_hint(all.end(), name, std::move(own));
  }
  return all;
}

NodeMarks marks_of(const State& state, const Node& node) {
  NodeMarks marks;
  const proto::ClusterSpec& spec = state.cluster().spec;
  if (spec.node_labels.empty() && spec.node_taints.empty() && spec.node_groups.empty() && node.extras.empty())
    return marks;
  const proto::NodeSettings settings = proto::merged_marks(proto::levels_of(spec, overrides_of(state, node)));
  for (const auto& [key, value] : settings.labels) marks.labels[key] = value.value_or("");
  for (const std::string& text : settings.taints) {
    if (const auto taint = proto::parse_taint(text)) marks.taints.push_back(*taint);
  }
  return marks;
}

}  // namespace slipway
