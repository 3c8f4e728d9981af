#include "coordinator/domain/block_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

namespace slipway {
namespace {

Cidr cidr(const std::string& text) {
  const auto block = Cidr::parse(text);
  REQUIRE(block);
  return *block;
}
BlockTree tree(const std::string& range, int longest) {
  auto made = BlockTree::make(cidr(range), longest);
  REQUIRE(made);
  return std::move(*made);
}
std::string take(BlockTree& from, int length, std::uint64_t tag = 1) {
  const auto got = from.take(length, BlockUse::leased, tag);
  return got ? got->to_string() : "none";
}

TEST_CASE("blocks come lowest first and large ones stay whole while small ones fit elsewhere", "[ledger]") {
  BlockTree blocks = tree("10.10.0.0/16", 28);
  CHECK(take(blocks, 27) == "10.10.0.0/27");
  CHECK(take(blocks, 17) == "10.10.128.0/17");
  CHECK(take(blocks, 27) == "10.10.0.32/27");
  CHECK(take(blocks, 24) == "10.10.1.0/24");
  CHECK(take(blocks, 26) == "10.10.0.64/26");
  CHECK(blocks.largest_free() == 18);
  CHECK(blocks.best_fit(26) == 25);
  CHECK(take(blocks, 17) == "none");
  CHECK(take(blocks, 29) == "none");
  CHECK(blocks.taken_count() == 5);
}

TEST_CASE("IPv6 ranges are cut the same way, at any bit position", "[ledger]") {
  BlockTree blocks = tree("fd00:10::/48", 64);
  CHECK(take(blocks, 64) == "fd00:10::/64");
  CHECK(take(blocks, 64) == "fd00:10:0:1::/64");
  CHECK(take(blocks, 49) == "fd00:10:0:8000::/49");
  CHECK(blocks.capacity(64) == 65'536);
  BlockTree odd = tree("fd00::/101", 125);
  REQUIRE(odd.take_exactly(cidr("fd00::7ff:fff8/125"), BlockUse::held, 0));
  CHECK(odd.overlapping(cidr("fd00::7ff:ffff/128"))->prefix == cidr("fd00::7ff:fff8/125"));
  CHECK(odd.overlapping(cidr("fd00::/128")) == std::nullopt);
  CHECK_FALSE(BlockTree::make(cidr("fd00::/48"), 73));
  CHECK_FALSE(BlockTree::make(cidr("10.0.0.0/8"), 7));
}

TEST_CASE("what is taken is found by any block that overlaps it", "[ledger]") {
  BlockTree blocks = tree("10.10.0.0/16", 28);
  REQUIRE(blocks.take_exactly(cidr("10.10.3.0/24"), BlockUse::held, 7));
  for (const char* other : {"10.10.3.0/24", "10.10.3.16/28", "10.10.3.77/32", "10.10.0.0/22", "10.10.0.0/16", "10.0.0.0/8", "0.0.0.0/0"}) {
    INFO(other);
    CHECK(blocks.overlapping(cidr(other)) == TakenBlock{cidr("10.10.3.0/24"), BlockUse::held, 7});
  }
  for (const char* other : {"10.10.2.0/24", "10.10.4.0/22", "10.11.0.0/16", "fd00::/16"}) {
    INFO(other);
    CHECK(blocks.overlapping(cidr(other)) == std::nullopt);
  }
  CHECK(blocks.find(cidr("10.10.3.0/25")) == std::nullopt);
  CHECK(blocks.take_exactly(cidr("10.10.3.0/28"), BlockUse::held, 0).error().code == Errc::conflict);
  CHECK(blocks.take_exactly(cidr("10.10.4.0/30"), BlockUse::held, 0).error().code == Errc::invalid);
  CHECK_FALSE(blocks.put_back(cidr("10.10.3.0/25")));
  CHECK_FALSE(blocks.change(cidr("10.10.2.0/24"), BlockUse::leased, 1));
}

TEST_CASE("a range grows around what is taken and can be cut smaller", "[ledger]") {
  BlockTree blocks = tree("10.10.0.0/17", 24);
  REQUIRE(blocks.take_exactly(cidr("10.10.3.0/24"), BlockUse::leased, 7));
  const auto before = blocks.taken();
  CHECK(blocks.reshape(cidr("10.10.128.0/17"), 24).error().code == Errc::invalid);
  CHECK(blocks.reshape(cidr("10.10.0.0/18"), 24).error().code == Errc::invalid);
  REQUIRE(blocks.reshape(cidr("10.8.0.0/13"), 26));
  CHECK(blocks.taken() == before);
  CHECK(blocks.available(24) == 2047);
  CHECK(blocks.largest_free() == 14);
  CHECK(take(blocks, 26) == "10.10.2.0/26");  // beside the block, where nothing larger is torn
  REQUIRE(blocks.reshape(cidr("10.8.0.0/13"), 24));
  CHECK(blocks.longest() == 26);  // never coarser: a block of that size is taken
}

TEST_CASE("tags differ by uid and by generation", "[ledger]") {
  CHECK(owner_tag({"a", 1}) == owner_tag({"a", 1}));
  CHECK(owner_tag({"a", 1}) != owner_tag({"a", 2}));
  CHECK(owner_tag({"a", 1}) != owner_tag({"b", 1}));
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 100'000; ++i) ++seen[owner_tag({"6f1a" + std::to_string(i), static_cast<std::uint64_t>(i % 3)})];
  CHECK(seen.size() == 100'000);
}

// The same rules, slowly: an array of the smallest blocks.
struct Model {
  std::vector<int> used = std::vector<int>(256, 0);  // serial of the taker
  std::map<int, std::pair<std::size_t, std::size_t>> taken;

  bool is_free(std::size_t start, std::size_t size) const {
    return std::all_of(used.begin() + static_cast<std::ptrdiff_t>(start), used.begin() + static_cast<std::ptrdiff_t>(start + size), [](int u) { return u == 0; });
  }
  // Best fit: of the aligned free places the one in the smallest whole free block, lowest first.
  std::optional<std::size_t> place(std::size_t size) const {
    for (std::size_t whole = size; whole <= used.size(); whole *= 2) {
      for (std::size_t start = 0; start < used.size(); start += whole) {
        if (!is_free(start, whole)) continue;
        const bool part_of_larger = whole < used.size() && is_free(start ^ whole, whole);
        if (!part_of_larger) return start;
      }
    }
    return std::nullopt;
  }
  void fill(std::size_t start, std::size_t size, int serial) { std::fill_n(used.begin() + static_cast<std::ptrdiff_t>(start), size, serial); }
};

Cidr at(std::size_t start, int length) { return *Cidr::make(IpAddress::v4(0x0a0a0000U + static_cast<std::uint32_t>(start)), length); }

void take_some(std::mt19937& random, BlockTree& blocks, Model& model, int serial) {
  const int bits = static_cast<int>(random() % 6);
  const std::size_t size = std::size_t{1} << bits;
  auto expected = model.place(size);
  if (random() % 4 == 0) {
    const std::size_t start = random() % 256 / size * size;
    const bool possible = model.is_free(start, size);
    REQUIRE(blocks.take_exactly(at(start, 32 - bits), BlockUse::leased, static_cast<std::uint64_t>(serial)).has_value() == possible);
    if (!possible) return;
    expected = start;
  } else {
    const auto got = blocks.take(32 - bits, BlockUse::leased, static_cast<std::uint64_t>(serial));
    REQUIRE(got.has_value() == expected.has_value());
    if (!expected) return;
    REQUIRE(*got == at(*expected, 32 - bits));
  }
  model.fill(*expected, size, serial);
  model.taken[serial] = {*expected, size};
}

int length_of(std::size_t size) {
  int length = 32;
  for (; size > 1; size /= 2) --length;
  return length;
}

TEST_CASE("the buddy tree does what a slow model does", "[ledger]") {
  for (const unsigned seed : {1U, 2U, 3U, 77U, 4711U}) {
    std::mt19937 random(seed);
    BlockTree blocks = tree("10.10.0.0/24", 32);
    Model model;
    for (int serial = 1; serial < 3000; ++serial) {
      if (random() % 2 == 0 || model.taken.empty()) {
        take_some(random, blocks, model, serial);
      } else {
        const auto victim = std::next(model.taken.begin(), static_cast<std::ptrdiff_t>(random() % model.taken.size()));
        const auto [start, size] = victim->second;
        REQUIRE(blocks.put_back(at(start, length_of(size))));
        model.fill(start, size, 0);
        model.taken.erase(victim);
      }
      REQUIRE(blocks.available(32) == static_cast<std::uint64_t>(std::count(model.used.begin(), model.used.end(), 0)));
      REQUIRE(blocks.taken_count() == model.taken.size());
    }
    for (const TakenBlock& block : blocks.taken()) {
      const auto [start, size] = model.taken.at(static_cast<int>(block.tag));
      REQUIRE(block.prefix == at(start, length_of(size)));
    }
    for (const auto& [serial, place] : model.taken) REQUIRE(blocks.put_back(at(place.first, length_of(place.second))));
    CHECK(blocks.largest_free() == 24);
    CHECK(blocks == tree("10.10.0.0/24", 30));
  }
}

TEST_CASE("a /8 cut in /24s with every block given out takes less than a megabyte", "[ledger]") {
  BlockTree blocks = tree("10.0.0.0/8", 24);
  for (std::uint64_t i = 0; i < 65'536; ++i) {
    if (!blocks.take(24, BlockUse::leased, i)) FAIL("no block " << i);
  }
  CHECK(take(blocks, 24) == "none");
  CHECK(blocks.memory_bytes() < 1'000'000);
  CHECK(blocks.memory_bytes() > 65'536 * 9);  // the measure counts the tags at least
}

}  // namespace
}  // namespace slipway
