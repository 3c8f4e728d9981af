#include "coordinator/domain/address_pool.hpp"

#include <algorithm>

namespace slipway {

namespace {

std::size_t slot(BlockUse use) { return static_cast<std::size_t>(use); }

}  // namespace

Result<AddressPool> AddressPool::make(const PoolRecord& record) {
  AddressPool pool(record);
  for (const Cidr& range : record.ranges) {
    auto tree = BlockTree::make(range, record.node_prefix_length);
    if (!tree) return tree.error();
    pool.trees_.push_back(std::move(*tree));
  }
  return pool;
}

BlockTree* AddressPool::tree_of(const Cidr& block) {
  for (BlockTree& tree : trees_) {
    if (tree.range().contains(block)) return &tree;
  }
  return nullptr;
}

const BlockTree* AddressPool::tree_of(const Cidr& block) const {
  for (const BlockTree& tree : trees_) {
    if (tree.range().contains(block)) return &tree;
  }
  return nullptr;
}

bool AddressPool::contains(const Cidr& block) const { return tree_of(block) != nullptr; }

bool AddressPool::overlaps(const Cidr& block) const {
  return std::any_of(trees_.begin(), trees_.end(), [&](const BlockTree& tree) { return tree.range().overlaps(block); });
}

bool AddressPool::contains(const IpAddress& address) const {
  return std::any_of(trees_.begin(), trees_.end(), [&](const BlockTree& tree) { return tree.range().contains(address); });
}

std::optional<Cidr> AddressPool::take(BlockUse use, std::uint64_t tag) {
  BlockTree* best = nullptr;
  int best_length = -1;
  for (BlockTree& tree : trees_) {
    const auto fit = tree.best_fit(record_.node_prefix_length);
    if (!fit || *fit <= best_length) continue;
    best = &tree;
    best_length = *fit;
  }
  if (best == nullptr) return std::nullopt;
  ++counts_[slot(use)];
  return best->take(record_.node_prefix_length, use, tag);
}

bool AddressPool::can_take() const {
  return std::any_of(trees_.begin(), trees_.end(), [&](const BlockTree& tree) { return tree.best_fit(record_.node_prefix_length).has_value(); });
}

Status AddressPool::take_exactly(const Cidr& block, BlockUse use, std::uint64_t tag) {
  BlockTree* tree = tree_of(block);
  if (tree == nullptr) return make_error(Errc::invalid, block.to_string() + " is not a part of pool " + record_.name);
  if (block.prefix_length() > tree->longest()) {
    if (const auto finer = tree->reshape(tree->range(), block.prefix_length()); !finer) return finer;
  }
  const auto taken = tree->take_exactly(block, use, tag);
  if (taken) ++counts_[slot(use)];
  return taken;
}

bool AddressPool::change(const Cidr& block, BlockUse use, std::uint64_t tag) {
  BlockTree* tree = tree_of(block);
  const auto old = tree == nullptr ? std::nullopt : tree->find(block);
  if (!old) return false;
  --counts_[slot(old->use)];
  ++counts_[slot(use)];
  return tree->change(block, use, tag);
}

bool AddressPool::put_back(const Cidr& block) {
  BlockTree* tree = tree_of(block);
  const auto old = tree == nullptr ? std::nullopt : tree->find(block);
  if (!old) return false;
  --counts_[slot(old->use)];
  return tree->put_back(block);
}

Status AddressPool::become(const PoolRecord& record) {
  std::vector<BlockTree> trees;
  std::vector<bool> kept(trees_.size(), false);
  for (const Cidr& range : record.ranges) {
    auto tree = BlockTree::make(range, record.node_prefix_length);
    if (!tree) return tree.error();
    for (std::size_t i = 0; i < trees_.size(); ++i) {
      if (!range.contains(trees_[i].range())) continue;
      kept[i] = true;
      if (trees_[i].longest() > tree->longest()) {
        if (const auto finer = tree->reshape(range, trees_[i].longest()); !finer) return finer;
      }
      for (const TakenBlock& block : trees_[i].taken()) {
        if (const auto taken = tree->take_exactly(block.prefix, block.use, block.tag); !taken) return taken;
      }
    }
    trees.push_back(std::move(*tree));
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) continue;
    return make_error(Errc::invalid, "pool " + record_.name + " has " + trees_[i].range().to_string() + ", which the new ranges leave out: a pool grows; to shrink it, drain it");
  }
  record_ = record;
  trees_ = std::move(trees);
  return {};
}

std::optional<TakenBlock> AddressPool::find(const Cidr& block) const {
  const BlockTree* tree = tree_of(block);
  return tree == nullptr ? std::nullopt : tree->find(block);
}

std::optional<TakenBlock> AddressPool::overlapping(const Cidr& block) const {
  for (const BlockTree& tree : trees_) {
    if (auto found = tree.overlapping(block)) return found;
  }
  return std::nullopt;
}

std::vector<TakenBlock> AddressPool::taken() const {
  std::vector<TakenBlock> all;
  for (const BlockTree& tree : trees_) {
    const auto some = tree.taken();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

bool AddressPool::empty() const {
  return std::all_of(trees_.begin(), trees_.end(), [](const BlockTree& tree) { return tree.taken_count() == 0; });
}

PoolUsage AddressPool::usage() const {
  PoolUsage usage;
  usage.leased = counts_[slot(BlockUse::leased)];
  usage.held = counts_[slot(BlockUse::held)];
  usage.quarantined = counts_[slot(BlockUse::quarantined)];
  for (const BlockTree& tree : trees_) {
    usage.capacity += tree.capacity(record_.node_prefix_length);
    usage.available += tree.available(record_.node_prefix_length);
    const auto free = tree.largest_free();
    if (free && (!usage.largest_free || *free < *usage.largest_free)) usage.largest_free = free;
  }
  return usage;
}

std::map<int, std::uint64_t> AddressPool::free_blocks() const {
  std::map<int, std::uint64_t> free;
  for (const BlockTree& tree : trees_) {
    for (int length = tree.range().prefix_length(); length <= tree.longest(); ++length) free[length] += tree.free_blocks(length);
  }
  return free;
}

std::size_t AddressPool::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const BlockTree& tree : trees_) bytes += tree.memory_bytes();
  return bytes;
}

}  // namespace slipway
