#include "coordinator/domain/block_tree.hpp"

#include <algorithm>
#include <array>

namespace slipway {

namespace {

std::string slash(int length) { return "/" + std::to_string(length); }

// Depth 0 to 24 and BlockUse 1 to 3 in one byte that is never 0.
std::uint8_t pack(int depth, BlockUse use) { return static_cast<std::uint8_t>(static_cast<unsigned>(use) << 5 | static_cast<unsigned>(depth)); }
int depth_in(std::uint8_t packed) { return packed & 31; }
BlockUse use_in(std::uint8_t packed) { return static_cast<BlockUse>(packed >> 5); }

}  // namespace

std::uint64_t owner_tag(const CidrOwner& owner) {
  // FNV-1a over the text, then the finaliser of splitmix64 with the generation in it.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : owner.uid) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash ^= (owner.generation + 1) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

Result<BlockTree> BlockTree::make(const Cidr& range, int longest) {
  if (longest < range.prefix_length() || longest > range.base().bits()) {
    return make_error(Errc::invalid, range.to_string() + " cannot be cut into blocks of " + slash(longest));
  }
  if (longest - range.prefix_length() > k_max_depth) {
    return make_error(Errc::invalid, range.to_string() + " cut in " + slash(longest) + " would hold more than 2^" +
                                         std::to_string(k_max_depth) + " blocks: take a smaller range or larger blocks");
  }
  return BlockTree(range, longest);
}

BlockTree::BlockTree(const Cidr& range, int longest) : range_(range), depth_(longest - range.prefix_length()) {
  for (int depth = 0; depth <= depth_; ++depth) free_.emplace_back(std::uint64_t{1} << depth);
  free_[0].set(0);
  pages_.resize(((std::uint64_t{1} << depth_) + k_page - 1) / k_page);
}

std::uint64_t BlockTree::index_of(const Cidr& prefix) const {
  std::uint64_t index = 0;
  const int end = std::min(prefix.prefix_length(), longest());
  for (int bit = range_.prefix_length(); bit < end; ++bit) {
    index = index << 1 | (prefix.base().bit(bit) ? 1U : 0U);
  }
  return index;
}

Cidr BlockTree::block_at(int depth, std::uint64_t index) const {
  std::string bytes = range_.base().bytes();
  const int length = range_.prefix_length() + depth;
  const int shift = static_cast<int>(bytes.size()) * 8 - length;
  auto at = static_cast<std::ptrdiff_t>(bytes.size()) - 1 - shift / 8;
  for (std::uint64_t rest = index << (shift % 8); rest != 0; rest >>= 8, --at) {
    auto& byte = bytes[static_cast<std::size_t>(at)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | (rest & 255));
  }
  return *Cidr::make(*IpAddress::from_bytes(bytes), length);
}

std::uint8_t BlockTree::use_at(std::uint64_t smallest) const {
  const Page& page = pages_[smallest / k_page];
  return page.used == 0 ? std::uint8_t{0} : page.uses[smallest % k_page];
}

TakenBlock BlockTree::block_of(std::uint64_t smallest) const {
  const Page& page = pages_[smallest / k_page];
  const std::uint8_t packed = page.uses[smallest % k_page];
  const int depth = depth_in(packed);
  return {block_at(depth, smallest >> (depth_ - depth)), use_in(packed), page.tags[smallest % k_page]};
}

// Where the taken block that is exactly `prefix` is noted.
std::optional<std::uint64_t> BlockTree::begin_of(const Cidr& prefix) const {
  if (!range_.contains(prefix) || !has_length(prefix.prefix_length())) return std::nullopt;
  const int depth = prefix.prefix_length() - range_.prefix_length();
  const std::uint64_t smallest = index_of(prefix) << (depth_ - depth);
  const std::uint8_t packed = use_at(smallest);
  if (packed == 0 || depth_in(packed) != depth) return std::nullopt;
  return smallest;
}

void BlockTree::enter(int depth, std::uint64_t index, BlockUse use, std::uint64_t tag) {
  const std::uint64_t smallest = index << (depth_ - depth);
  Page& page = pages_[smallest / k_page];
  if (page.used++ == 0) {
    page.tags.assign(k_page, 0);
    page.uses.assign(k_page, 0);
  }
  page.tags[smallest % k_page] = tag;
  page.uses[smallest % k_page] = pack(depth, use);
  ++taken_;
}

// Takes the block out of the free ones, splitting the free block around it; false when any of it is taken.
bool BlockTree::cut_out(int depth, std::uint64_t index) {
  int from = depth;
  while (from >= 0 && !free_[static_cast<std::size_t>(from)].test(index >> (depth - from))) --from;
  if (from < 0) return false;
  free_[static_cast<std::size_t>(from)].clear(index >> (depth - from));
  for (int at = from + 1; at <= depth; ++at) free_[static_cast<std::size_t>(at)].set((index >> (depth - at)) ^ 1);
  return true;
}

void BlockTree::free_block(int depth, std::uint64_t index) {
  while (depth > 0 && free_[static_cast<std::size_t>(depth)].test(index ^ 1)) {
    free_[static_cast<std::size_t>(depth)].clear(index ^ 1);
    index >>= 1;
    --depth;
  }
  free_[static_cast<std::size_t>(depth)].set(index);
}

std::optional<int> BlockTree::best_fit(int length) const {
  if (!has_length(length)) return std::nullopt;
  for (int depth = length - range_.prefix_length(); depth >= 0; --depth) {
    if (free_[static_cast<std::size_t>(depth)].count() > 0) return range_.prefix_length() + depth;
  }
  return std::nullopt;
}

std::optional<Cidr> BlockTree::take(int length, BlockUse use, std::uint64_t tag) {
  const auto fit = best_fit(length);
  if (!fit) return std::nullopt;
  const int depth = length - range_.prefix_length();
  const int from = *fit - range_.prefix_length();
  const std::uint64_t index = *free_[static_cast<std::size_t>(from)].lowest() << (depth - from);
  (void)cut_out(depth, index);
  enter(depth, index, use, tag);
  return block_at(depth, index);
}

Status BlockTree::take_exactly(const Cidr& prefix, BlockUse use, std::uint64_t tag) {
  if (!range_.contains(prefix)) return make_error(Errc::invalid, prefix.to_string() + " is not a part of " + range_.to_string());
  if (!has_length(prefix.prefix_length())) {
    return make_error(Errc::invalid, range_.to_string() + " is cut into blocks down to " + slash(longest()) + ", not " + slash(prefix.prefix_length()));
  }
  const int depth = prefix.prefix_length() - range_.prefix_length();
  const std::uint64_t index = index_of(prefix);
  if (!cut_out(depth, index)) return make_error(Errc::conflict, Cause::block_taken, prefix.to_string() + " is not free");
  enter(depth, index, use, tag);
  return {};
}

bool BlockTree::change(const Cidr& prefix, BlockUse use, std::uint64_t tag) {
  const auto begin = begin_of(prefix);
  if (!begin) return false;
  Page& page = pages_[*begin / k_page];
  page.tags[*begin % k_page] = tag;
  page.uses[*begin % k_page] = pack(prefix.prefix_length() - range_.prefix_length(), use);
  return true;
}

bool BlockTree::put_back(const Cidr& prefix) {
  const auto begin = begin_of(prefix);
  if (!begin) return false;
  Page& page = pages_[*begin / k_page];
  page.uses[*begin % k_page] = 0;
  page.tags[*begin % k_page] = 0;
  if (--page.used == 0) page = Page{};
  --taken_;
  const int depth = prefix.prefix_length() - range_.prefix_length();
  free_block(depth, *begin >> (depth_ - depth));
  return true;
}

Status BlockTree::reshape(const Cidr& range, int longest) {
  if (!range.contains(range_)) {
    return make_error(Errc::invalid, range.to_string() + " does not contain " + range_.to_string() + ": a range grows, it does not move");
  }
  auto wider = make(range, std::max(longest, this->longest()));
  if (!wider) return wider.error();
  for (const TakenBlock& block : taken()) {
    if (const auto kept = wider->take_exactly(block.prefix, block.use, block.tag); !kept) return kept;
  }
  *this = std::move(*wider);
  return {};
}

std::optional<TakenBlock> BlockTree::find(const Cidr& prefix) const {
  const auto begin = begin_of(prefix);
  if (!begin) return std::nullopt;
  return block_of(*begin);
}

std::optional<TakenBlock> BlockTree::overlapping(const Cidr& prefix) const {
  if (!range_.overlaps(prefix)) return std::nullopt;
  const int depth = std::clamp(prefix.prefix_length() - range_.prefix_length(), 0, depth_);
  const std::uint64_t index = prefix.contains(range_) ? 0 : index_of(prefix);
  const std::uint64_t first = index << (depth_ - depth);
  // A block that contains it begins where one of its ancestors does.
  for (int at = 0; at < depth; ++at) {
    const std::uint64_t begin = first >> (depth_ - at) << (depth_ - at);
    const std::uint8_t packed = use_at(begin);
    if (packed != 0 && depth_in(packed) == at) return block_of(begin);
  }
  const std::uint64_t end = first + (std::uint64_t{1} << (depth_ - depth));
  for (std::uint64_t at = first; at < end; ++at) {
    if (pages_[at / k_page].used == 0) {
      at = (at / k_page + 1) * k_page - 1;
      continue;
    }
    if (use_at(at) != 0) return block_of(at);
  }
  return std::nullopt;
}

std::vector<TakenBlock> BlockTree::taken() const {
  std::vector<TakenBlock> blocks;
  blocks.reserve(taken_);
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    if (pages_[page].used == 0) continue;
    for (std::size_t i = 0; i < k_page; ++i) {
      if (pages_[page].uses[i] != 0) blocks.push_back(block_of(page * k_page + i));
    }
  }
  return blocks;
}

std::uint64_t BlockTree::available(int length) const {
  std::uint64_t sum = 0;
  const int depth = length - range_.prefix_length();
  for (int at = 0; at <= depth && at <= depth_; ++at) sum += free_[static_cast<std::size_t>(at)].count() << (depth - at);
  return sum;
}

std::uint64_t BlockTree::capacity(int length) const {
  const int depth = length - range_.prefix_length();
  return depth < 0 || depth > 62 ? 0 : std::uint64_t{1} << depth;
}

std::optional<int> BlockTree::largest_free() const {
  for (int at = 0; at <= depth_; ++at) {
    if (free_[static_cast<std::size_t>(at)].count() > 0) return range_.prefix_length() + at;
  }
  return std::nullopt;
}

std::uint64_t BlockTree::free_blocks(int length) const {
  return has_length(length) ? free_[static_cast<std::size_t>(length - range_.prefix_length())].count() : 0;
}

std::size_t BlockTree::memory_bytes() const {
  std::size_t bytes = sizeof *this + free_.capacity() * sizeof(FreeMap) + pages_.capacity() * sizeof(Page);
  for (int depth = 0; depth <= depth_; ++depth) {
    // Bits, their summaries (a sixty-fourth a level) and the vectors that hold them.
    for (std::uint64_t words = std::uint64_t{1} << depth;;) {
      words = (words + 63) / 64;
      bytes += words * 8 + sizeof(std::vector<std::uint64_t>);
      if (words == 1) break;
    }
  }
  for (const Page& page : pages_) bytes += page.tags.capacity() * 8 + page.uses.capacity();
  return bytes;
}

bool BlockTree::operator==(const BlockTree& other) const {
  return range_ == other.range_ && taken_ == other.taken_ && taken() == other.taken();
}

}  // namespace slipway
