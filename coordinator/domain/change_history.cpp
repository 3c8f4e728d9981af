#include "coordinator/domain/change_history.hpp"

#include <algorithm>

#include "coordinator/domain/peer_node.hpp"

namespace slipway {

namespace {

// Fewer than this are not worth dropping.
constexpr std::size_t k_few = 64;

// The first that is behind `revision`.
template <class Entries> auto behind(Entries& entries, std::uint64_t revision) {
  return std::upper_bound(entries.begin(), entries.end(), revision, [](std::uint64_t wanted, const auto& entry) { return wanted < entry.revision; });
}

}  // namespace

std::optional<ChangeHistory::Since> ChangeHistory::since(std::uint64_t revision) const {
  if (revision < floor_) return std::nullopt;
  Since since;
  for (auto entry = behind(entries_, revision); entry != entries_.end(); ++entry) {
    if (counts(*entry)) since.nodes.push_back(entry->node);
  }
  for (auto entry = behind(gone_, revision); entry != gone_.end(); ++entry) since.gone.push_back(&*entry);
  for (std::size_t i = 0; i < k_desired_parts; ++i) since.parts[i] = parts_[i] > revision;
  return since;
}

bool ChangeHistory::counts(const Entry& entry) const {
  const auto last = last_.find(entry.node);
  return last != last_.end() && last->second == entry.revision;
}

void ChangeHistory::begin(std::uint64_t floor) {
  floor_ = floor;
  entries_.clear();
  last_.clear();
  gone_.clear();
  parts_ = {};
}

void ChangeHistory::raise_floor(std::uint64_t floor) {
  if (floor <= floor_) return;
  floor_ = floor;
  const auto end = behind(entries_, floor);
  for (auto entry = entries_.begin(); entry != end; ++entry) {
    if (counts(*entry)) last_.erase(entry->node);
  }
  entries_.erase(entries_.begin(), end);
  if (entries_.capacity() > 2 * entries_.size() + k_few) entries_.shrink_to_fit();
  gone_.erase(gone_.begin(), behind(gone_, floor));
}

void ChangeHistory::came(const Node* node, std::uint64_t revision) {
  mark_.put(peer_node(*node));
  note(node, revision);
}

void ChangeHistory::changed(const Node& before, const Node* node, std::uint64_t revision) {
  if (same_to_agents(before, *node)) return;
  mark_.take(peer_node(before));
  mark_.put(peer_node(*node));
  if (before.uid != node->uid || before.generation != node->generation) bury(before, revision);
  note(node, revision);
}

void ChangeHistory::gone(const Node* node, std::uint64_t revision) {
  mark_.take(peer_node(*node));
  last_.erase(node);
  bury(*node, revision);
}

void ChangeHistory::loaded(const Node& node) { mark_.put(peer_node(node)); }

void ChangeHistory::move_to(const std::function<const Node*(const Node&)>& there) {
  std::unordered_map<const Node*, std::uint64_t> last;
  for (const auto& [node, revision] : last_) last.emplace(there(*node), revision);
  std::erase_if(entries_, [this](const Entry& entry) { return !counts(entry); });
  for (Entry& entry : entries_) entry.node = there(*entry.node);
  last_ = std::move(last);
}

void ChangeHistory::note(const Node* node, std::uint64_t revision) {
  std::uint64_t& last = last_[node];
  if (last == revision) return;
  last = revision;
  entries_.push_back({revision, node});
  drop_stale();
}

void ChangeHistory::bury(const Node& node, std::uint64_t revision) {
  gone_.push_back({revision, node.uid, node.generation, blocks_of(node)});
  drop_stale();
}

void ChangeHistory::drop_stale() {
  if (entries_.size() > 2 * last_.size() + k_few) std::erase_if(entries_, [this](const Entry& entry) { return !counts(entry); });
  if (size() <= k_most) return;
  // A quarter at once, so that it is not done at each change.
  std::vector<std::uint64_t> revisions;
  for (const Entry& entry : entries_) {
    if (counts(entry)) revisions.push_back(entry.revision);
  }
  for (const GoneNode& gone : gone_) revisions.push_back(gone.revision);
  const auto quarter = revisions.begin() + static_cast<std::ptrdiff_t>(revisions.size() / 4);
  std::nth_element(revisions.begin(), quarter, revisions.end());
  raise_floor(*quarter);
}

}  // namespace slipway
