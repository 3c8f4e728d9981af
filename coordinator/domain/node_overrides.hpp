#pragma once
// Which settings a node gets beside the cluster's own. Pure.
#include <map>
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"
#include "proto/settings.hpp"

namespace slipway {

// The cluster's groups that the node is in, in their order.
std::vector<std::string> groups_of(const State& state, const Node& node);
proto::NodeOverrides overrides_of(const State& state, const Node& node);
// Of the nodes that have any, by name: for the desired state.
std::map<std::string, proto::NodeOverrides> all_overrides(const State& state);

// What the Node object is to have of us.
struct NodeMarks {
  std::map<std::string, std::string> labels;
  std::vector<proto::Taint> taints;
  bool empty() const { return labels.empty() && taints.empty(); }
  bool operator==(const NodeMarks&) const = default;
};
NodeMarks marks_of(const State& state, const Node& node);

}  // namespace slipway
