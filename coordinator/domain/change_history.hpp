#pragma once
// What agents are to be told of, in the order in which it changed last: of ten changes of a node there is one entry, so what has changed
// since a revision is what stands behind it. Kept back to a floor and in memory only; an agent that has less than the floor gets the whole
// state. Not part of the facts: two states with different pasts are equal. Pure.
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "coordinator/domain/node.hpp"
#include "proto/nodes_mark.hpp"

namespace slipway {

// Of the desired state beside the nodes; each is told as a whole.
enum class DesiredPart : std::uint8_t { cluster, components, pod_ranges, cas, overrides, manifest };
inline constexpr std::size_t k_desired_parts = 6;

// A node that is no more.
struct GoneNode {
  std::uint64_t revision = 0;
  std::string uid;
  std::uint64_t generation = 0;
  std::vector<Cidr> blocks;
};

class ChangeHistory {
 public:
  // Entries of nodes that are there and of nodes that are gone, together; with more the floor rises.
  static constexpr std::size_t k_most = 64 * 1024;

  struct Since {
    std::vector<const Node*> nodes;     // new or changed, the oldest change first
    std::vector<const GoneNode*> gone;  // likewise
    std::array<bool, k_desired_parts> parts{};
    bool has(DesiredPart part) const { return parts[static_cast<std::size_t>(part)]; }
  };
  // What has changed after `revision`, until the next change. Absent: that is below the floor.
  std::optional<Since> since(std::uint64_t revision) const;
  std::uint64_t floor() const { return floor_; }
  std::size_t size() const { return last_.size() + gone_.size(); }
  // Of all nodes that are there.
  const proto::NodesMark& mark() const { return mark_; }

  // Nothing that was before is known.
  void begin(std::uint64_t floor);
  // What is at or below it is forgotten; a lower floor than the one that stands changes nothing.
  void raise_floor(std::uint64_t floor);

  // NodeTable and StateEditor tell, revisions never fall. `node` stays where it is until gone().
  void came(const Node* node, std::uint64_t revision);
  void changed(const Node& before, const Node* node, std::uint64_t revision);
  void gone(const Node* node, std::uint64_t revision);
  void part(DesiredPart part, std::uint64_t revision) { parts_[static_cast<std::size_t>(part)] = revision; }
  // As it was in the store: known to all who have the floor.
  void loaded(const Node& node);
  // Of a copy: its nodes are others. `there` gives the copy's for each.
  void move_to(const std::function<const Node*(const Node&)>& there);

 private:
  struct Entry {
    std::uint64_t revision = 0;
    const Node* node = nullptr;
  };
  void note(const Node* node, std::uint64_t revision);
  void bury(const Node& node, std::uint64_t revision);
  bool counts(const Entry& entry) const;
  void drop_stale();

  std::uint64_t floor_ = 0;
  // By revision. An entry counts when it is its node's last one; the others are dropped when they are more than those that count.
  std::vector<Entry> entries_;
  std::unordered_map<const Node*, std::uint64_t> last_;
  std::deque<GoneNode> gone_;
  std::array<std::uint64_t, k_desired_parts> parts_{};
  proto::NodesMark mark_;
};

}  // namespace slipway
