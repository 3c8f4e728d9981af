#include "coordinator/domain/node_table.hpp"

#include <utility>

namespace slipway {

namespace {

template <class Set> void point_at(Set& set, const Node& node) {
  const auto [place, is_new] = set.insert(&node);
  if (is_new) return;
  set.erase(place);
  set.insert(&node);
}

template <class Set> void take_out(Set& set, const Node& node) {
  const auto place = set.find(&node);
  if (place != set.end() && *place == &node) set.erase(place);
}

}  // namespace

NodeTable::NodeTable(const NodeTable& other) : nodes_(other.nodes_), history_(other.history_) {
  for (const auto& [name, node] : nodes_) index(node);
  history_.move_to([this](const Node& node) { return find(node.name); });
}

NodeTable& NodeTable::operator=(const NodeTable& other) {
  NodeTable copy(other);
  return *this = std::move(copy);
}

const Node* NodeTable::find(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

void NodeTable::index(const Node& node) {
  point_at(uids_, node);
  point_at(addresses_, node);
  if (!node.machine_id.empty()) point_at(machine_ids_, node);
}

void NodeTable::unindex(const Node& node) {
  take_out(uids_, node);
  take_out(addresses_, node);
  if (!node.machine_id.empty()) take_out(machine_ids_, node);
}

void NodeTable::load(Node node) {
  const Node& there = nodes_.insert_or_assign(node.name, node).first->second;
  index(there);
  history_.loaded(there);
}

void NodeTable::put(Node node, std::uint64_t revision) {
  const auto [place, is_new] = nodes_.try_emplace(node.name);
  Node& there = place->second;
  // By parts of the node: out of the indexes before they change.
  if (!is_new) unindex(there);
  const Node before = std::exchange(there, std::move(node));
  index(there);
  if (is_new) history_.came(&there, revision);
  else history_.changed(before, &there, revision);
}

void NodeTable::erase(const std::string& name, std::uint64_t revision) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return;
  history_.gone(&found->second, revision);
  unindex(found->second);
  nodes_.erase(found);
}

}  // namespace slipway
