#include "coordinator/domain/probe_tally.hpp"

#include <numeric>

#include "coordinator/domain/probe_peers.hpp"

namespace slipway {

namespace {

constexpr std::array k_goals{ProbeGoal::node, ProbeGoal::bridge, ProbeGoal::pod};

bool offers(const ProbedNode& node, ProbeGoal goal, bool v4) {
  return (node.offered[static_cast<std::size_t>(goal)] & (v4 ? 1U : 2U)) != 0;
}

std::uint32_t root_of(std::vector<std::uint32_t>& parents, std::uint32_t node) {
  while (parents[node] != node) node = parents[node] = parents[parents[node]];
  return node;
}

}  // namespace

ProbeTally::ProbeTally(const ProbePicture& picture)
    : picture_(picture),
      peers_(picture.nodes.size()),
      towards_(picture.nodes.size()),
      from_(picture.nodes.size()) {
  for (const ProbeLoss& loss : picture.losses)
    losses_.emplace(key(loss.from, loss.to, {loss.goal, loss.address.is_v4()}, loss.large()), &loss);
  for (std::uint32_t from = 0; from < picture.nodes.size(); ++from) {
    if (!picture.nodes[from].reported) continue;
    for (const std::size_t place : probe_peers(picture.nodes.size(), from)) {
      const auto to = static_cast<std::uint32_t>(place);
      peers_[from].push_back(to);
      for (const ProbeGoal goal : k_goals)
        for (const bool v4 : {true, false}) count(from, to, {goal, v4});
    }
  }
}

std::uint64_t ProbeTally::key(std::uint32_t from, std::uint32_t to, ProbeWay way, bool large) {
  // 28 bits for each node: a cluster has at most 65,536.
  return static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint64_t>(to) << 4 | way.index() << 1 |
         (large ? 1U : 0U);
}

bool ProbeTally::asked(std::uint32_t from, std::uint32_t to, ProbeWay way) const {
  const ProbedNode& source = picture_.nodes[from];
  // Pods are pinged from the bridge.
  const ProbeGoal own = way.goal == ProbeGoal::node ? ProbeGoal::node : ProbeGoal::bridge;
  return from != to && source.reported && offers(source, own, way.v4) &&
         offers(picture_.nodes[to], way.goal, way.v4);
}

const ProbeLoss* ProbeTally::lost(std::uint32_t from, std::uint32_t to, ProbeWay way, bool large) const {
  const auto found = losses_.find(key(from, to, way, large));
  return found == losses_.end() ? nullptr : found->second;
}

void ProbeTally::count(std::uint32_t from, std::uint32_t to, ProbeWay way) {
  if (!asked(from, to, way)) return;
  const std::uint32_t lost_one = lost(from, to, way, false) != nullptr ? 1 : 0;
  for (Count* counted : {&towards_[to][way.index()], &from_[from][way.index()], &all_[way.index()]}) {
    ++counted->asked;
    counted->lost += lost_one;
  }
}

const ProbeTally::Group& ProbeTally::groups(ProbeWay way) const {
  Group& group = groups_[way.index()];
  if (!group.of.empty()) return group;
  group.of.resize(picture_.nodes.size());
  std::iota(group.of.begin(), group.of.end(), 0U);
  for (std::uint32_t from = 0; from < peers_.size(); ++from)
    for (const std::uint32_t to : peers_[from])
      if (works(from, to, way)) group.of[root_of(group.of, from)] = root_of(group.of, to);
  group.sizes.resize(group.of.size());
  for (std::uint32_t node = 0; node < group.of.size(); ++node) {
    group.of[node] = root_of(group.of, node);
    ++group.sizes[group.of[node]];
  }
  return group;
}

bool ProbeTally::apart(std::uint32_t a, std::uint32_t b, ProbeWay way) const {
  const Group& group = groups(way);
  return group.of[a] != group.of[b] && group.sizes[group.of[a]] > 1 && group.sizes[group.of[b]] > 1;
}

}  // namespace slipway
