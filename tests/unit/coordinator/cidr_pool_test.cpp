#include "coordinator/domain/cidr_pool.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <random>

namespace slipway {
namespace {

Cidr cidr(const std::string& text) {
  const auto block = Cidr::parse(text);
  REQUIRE(block);
  return *block;
}
CidrPool pool(const std::string& range, int longest) {
  auto made = CidrPool::make(cidr(range), longest);
  REQUIRE(made);
  return std::move(*made);
}
Maturity at(int seconds, std::uint64_t acknowledged) { return {WallTime(Seconds(seconds)), Seconds(600), acknowledged}; }
std::string give(CidrPool& from, const std::string& uid, int length) {
  const auto got = from.allocate({uid, 1}, length, at(0, 0));
  return got ? got->prefix.to_string() : got.error().message;
}

TEST_CASE("blocks are given out lowest first and the same owner gets the same one") {
  CidrPool blocks = pool("10.10.0.0/16", 24);
  CHECK(give(blocks, "a", 24) == "10.10.0.0/24");
  CHECK(give(blocks, "b", 24) == "10.10.1.0/24");
  CHECK(give(blocks, "a", 24) == "10.10.0.0/24");
  CHECK(blocks.allocated() == 2);
  CHECK(blocks.available(24) == 254);
  CHECK(blocks.block_of("b") == cidr("10.10.1.0/24"));
  CHECK(blocks.owner_of(cidr("10.10.1.0/24"))->uid == "b");
  CHECK_FALSE(blocks.allocate({"a", 2}, 24, at(0, 0)));
  CHECK_FALSE(blocks.allocate({"a", 1}, 23, at(0, 0)));
}

TEST_CASE("large blocks stay whole while small ones fit elsewhere") {
  CidrPool blocks = pool("10.10.0.0/16", 28);
  CHECK(give(blocks, "small", 27) == "10.10.0.0/27");
  CHECK(give(blocks, "large", 17) == "10.10.128.0/17");
  CHECK(give(blocks, "small2", 27) == "10.10.0.32/27");
  CHECK(give(blocks, "middle", 24) == "10.10.1.0/24");
  CHECK(give(blocks, "small3", 26) == "10.10.0.64/26");
  CHECK(blocks.largest_free() == 18);
}

TEST_CASE("a pool refuses what it cannot cut") {
  CHECK_FALSE(CidrPool::make(cidr("10.0.0.0/8"), 7));
  CHECK_FALSE(CidrPool::make(cidr("16.0.0.0/4"), 29));
  CHECK(CidrPool::make(cidr("10.0.0.0/8"), 28));
  CidrPool blocks = pool("10.10.0.0/16", 24);
  CHECK(blocks.allocate({"a", 1}, 25, at(0, 0)).error().code == Errc::invalid);
  CHECK(blocks.allocate({"a", 1}, 15, at(0, 0)).error().code == Errc::invalid);
}

TEST_CASE("IPv6 ranges are cut the same way") {
  CidrPool blocks = pool("fd00:10::/48", 64);
  CHECK(give(blocks, "a", 64) == "fd00:10::/64");
  CHECK(give(blocks, "b", 64) == "fd00:10:0:1::/64");
}

TEST_CASE("only the very holder can release, and only once") {
  CidrPool blocks = pool("10.10.0.0/30", 32);
  CHECK(give(blocks, "a", 32) == "10.10.0.0/32");
  const CidrPool before = blocks;
  CHECK(blocks.release(cidr("10.10.0.0/32"), {"b", 1}, WallTime{}, 1).error().code == Errc::conflict);
  CHECK(blocks.release(cidr("10.10.0.0/32"), {"a", 2}, WallTime{}, 1).error().code == Errc::conflict);
  CHECK(blocks.release(cidr("10.10.0.1/32"), {"a", 1}, WallTime{}, 1).error().code == Errc::conflict);
  CHECK(blocks == before);
  CHECK(blocks.release(cidr("10.10.0.0/32"), {"a", 1}, WallTime{}, 1));
  CHECK(blocks.release(cidr("10.10.0.0/32"), {"a", 1}, WallTime{}, 1).error().code == Errc::conflict);
  CHECK(blocks.quarantined() == 1);
}

TEST_CASE("quarantine ends only with age and acknowledgement") {
  CidrPool blocks = pool("10.10.0.0/31", 32);
  CHECK(give(blocks, "a", 32) == "10.10.0.0/32");
  REQUIRE(blocks.release(cidr("10.10.0.0/32"), {"a", 1}, WallTime(Seconds(1000)), 7));
  CHECK(give(blocks, "b", 32) == "10.10.0.1/32");
  CHECK(blocks.mature(at(1599, 7)).empty());
  CHECK(blocks.mature(at(9999, 6)).empty());
  CHECK(blocks.mature(at(500, 7)).empty());  // the clock went back
  const CidrPool before = blocks;
  const auto full = blocks.allocate({"c", 1}, 32, at(1599, 7));
  REQUIRE_FALSE(full);
  CHECK(full.error().code == Errc::exhausted);
  CHECK(full.error().message.find("holds 2, 1 blocks are in use and 1 in quarantine, of which 1 will be free within 10m") != std::string::npos);
  CHECK(blocks == before);
  CHECK(blocks.can_allocate({"c", 1}, 32, at(1600, 7)));
  CHECK(blocks == before);
  CHECK(blocks.mature(at(1600, 7)) == std::vector{cidr("10.10.0.0/32")});
  CHECK(give(blocks, "c", 32) == "10.10.0.0/32");
}

TEST_CASE("under exhaustion the oldest matured block is taken, never one that is not acknowledged") {
  CidrPool blocks = pool("10.10.0.0/30", 32);
  for (const char* uid : {"a", "b", "c", "d"}) give(blocks, uid, 32);
  REQUIRE(blocks.release(cidr("10.10.0.2/32"), {"c", 1}, WallTime(Seconds(0)), 99));  // oldest, but unheard of
  REQUIRE(blocks.release(cidr("10.10.0.3/32"), {"d", 1}, WallTime(Seconds(1)), 3));
  REQUIRE(blocks.release(cidr("10.10.0.0/32"), {"a", 1}, WallTime(Seconds(2)), 4));
  const auto first = blocks.allocate({"x", 1}, 32, at(5000, 10));
  REQUIRE(first);
  CHECK(first->prefix == cidr("10.10.0.3/32"));
  CHECK(first->reclaimed == std::vector{cidr("10.10.0.3/32")});
  CHECK(blocks.allocate({"y", 1}, 32, at(5000, 10))->prefix == cidr("10.10.0.0/32"));
  const CidrPool before = blocks;
  CHECK(blocks.allocate({"z", 1}, 32, at(5000, 10)).error().code == Errc::exhausted);
  CHECK(blocks == before);
}

TEST_CASE("a failed reclaim of fragments leaves the pool as it was") {
  CidrPool blocks = pool("10.10.0.0/30", 32);
  for (const char* uid : {"a", "b", "c", "d"}) give(blocks, uid, 32);
  REQUIRE(blocks.release(cidr("10.10.0.0/32"), {"a", 1}, WallTime(Seconds(0)), 1));
  REQUIRE(blocks.release(cidr("10.10.0.2/32"), {"c", 1}, WallTime(Seconds(0)), 1));
  const CidrPool before = blocks;
  CHECK(blocks.allocate({"x", 1}, 31, at(5000, 10)).error().code == Errc::exhausted);
  CHECK(blocks == before);
}

TEST_CASE("restored records find their blocks and contradictions are named") {
  CidrPool blocks = pool("10.10.0.0/16", 28);
  CHECK(blocks.restore(cidr("10.10.3.0/24"), {"a", 1}));
  CHECK(blocks.restore(cidr("10.10.3.0/28"), {"b", 1}).error().message.find("10.10.3.0/24 of node a") != std::string::npos);
  CHECK(blocks.restore(cidr("10.10.0.0/22"), {"b", 1}).error().message.find("10.10.3.0/24 of node a") != std::string::npos);
  CHECK_FALSE(blocks.restore(cidr("10.10.4.0/24"), {"a", 1}));
  CHECK_FALSE(blocks.restore(cidr("10.11.0.0/24"), {"c", 1}));
  CHECK(blocks.restore_quarantined({cidr("10.10.4.0/24"), {"old", 1}, WallTime{}, 5, 9}));
  CHECK(blocks.restore(cidr("10.10.4.0/25"), {"d", 1}).error().message.find("10.10.4.0/24 of node old") != std::string::npos);
  REQUIRE(blocks.release(cidr("10.10.3.0/24"), {"a", 1}, WallTime{}, 6));
  CHECK(blocks.quarantine().back().order == 10);
}

// The same rules, slowly: a bitmap of the smallest blocks.
struct Model {
  int range_bits;
  std::vector<std::string> used;  // owner of each smallest block
  std::map<std::string, std::pair<std::size_t, std::size_t>> owners;
  struct Waiting {
    std::size_t start, size;
    int since;
    std::uint64_t revision;
  };
  std::vector<Waiting> waiting;

  explicit Model(int bits) : range_bits(bits), used(std::size_t{1} << bits) {}
  bool is_free(std::size_t start, std::size_t size) const {
    for (std::size_t i = start; i < start + size; ++i) {
      if (!used[i].empty()) return false;
    }
    return true;
  }
  // Best fit: of the aligned free places the one in the smallest whole free block, lowest first.
  std::optional<std::size_t> place(std::size_t size) const {
    for (std::size_t whole = size; whole <= used.size(); whole *= 2) {
      for (std::size_t start = 0; start < used.size(); start += whole) {
        if (!is_free(start, whole)) continue;
        const bool coalesces = whole < used.size() && is_free(start ^ whole, whole);
        if (!coalesces) return start;
      }
    }
    return std::nullopt;
  }
  void fill(std::size_t start, std::size_t size, const std::string& owner) {
    for (std::size_t i = start; i < start + size; ++i) used[i] = owner;
  }
};

void step(std::mt19937& random, CidrPool& blocks, Model& model, int now, std::uint64_t acknowledged, int& serial) {
  const int bits = static_cast<int>(random() % 5);
  const std::size_t size = std::size_t{1} << bits;
  if (random() % 3 != 0) {
    const std::string uid = "n" + std::to_string(++serial);
    const auto expected = model.place(size);
    if (!expected) return;  // exhaustion takes from quarantine: cases of its own above
    const auto got = blocks.allocate({uid, 1}, 32 - bits, at(now, acknowledged));
    REQUIRE(got);
    REQUIRE(got->prefix.base().to_u32() - blocks.range().base().to_u32() == *expected);
    model.fill(*expected, size, uid);
    model.owners[uid] = {*expected, size};
  } else if (!model.owners.empty()) {
    auto victim = std::next(model.owners.begin(), static_cast<std::ptrdiff_t>(random() % model.owners.size()));
    const auto [start, length] = victim->second;
    const auto prefix = blocks.block_of(victim->first);
    REQUIRE(prefix);
    REQUIRE(blocks.release(*prefix, {victim->first, 1}, WallTime(Seconds(now)), static_cast<std::uint64_t>(now)));
    model.fill(start, length, "quarantine");
    model.waiting.push_back({start, length, now, static_cast<std::uint64_t>(now)});
    model.owners.erase(victim);
  }
}

void mature_both(CidrPool& blocks, Model& model, int now, std::uint64_t acknowledged) {
  const auto freed = blocks.mature(at(now, acknowledged));
  std::size_t expected = 0;
  for (auto old = model.waiting.begin(); old != model.waiting.end();) {
    if (now - old->since < 600 || old->revision > acknowledged) {
      ++old;
      continue;
    }
    model.fill(old->start, old->size, "");
    ++expected;
    old = model.waiting.erase(old);
  }
  REQUIRE(freed.size() == expected);
}

TEST_CASE("the buddy tree does what a slow model does") {
  for (const unsigned seed : {1U, 2U, 3U, 77U, 4711U}) {
    std::mt19937 random(seed);
    CidrPool blocks = pool("10.10.0.0/24", 32);
    Model model(8);
    int serial = 0;
    for (int now = 0; now < 20'000; now += 10) {
      const auto acknowledged = static_cast<std::uint64_t>(std::max(0, now - static_cast<int>(random() % 2000)));
      step(random, blocks, model, now, acknowledged, serial);
      if (random() % 8 == 0) mature_both(blocks, model, now, acknowledged);
      const auto used = static_cast<std::size_t>(std::count(model.used.begin(), model.used.end(), ""));
      REQUIRE(blocks.available(32) == used);
      REQUIRE(blocks.allocated() == model.owners.size());
      REQUIRE(blocks.quarantined() == model.waiting.size());
    }
    // All given back: one block again, as in the beginning.
    while (!model.owners.empty()) {
      const auto owner = *model.owners.begin();
      REQUIRE(blocks.release(*blocks.block_of(owner.first), {owner.first, 1}, WallTime(Seconds(20'000)), 1));
      model.owners.erase(owner.first);
    }
    blocks.mature(at(100'000, 1'000'000));
    CHECK(blocks.largest_free() == 24);
    CHECK(blocks.available(32) == 256);
  }
}

// For the reader of the log; what it costs is no matter of pass or fail.
TEST_CASE("an allocation costs the same at any fill") {
  CidrPool blocks = pool("10.0.0.0/8", 24);
  const std::uint64_t all = 65'536;
  std::uint64_t given = 0;
  bool all_given = true;
  for (const std::uint64_t until : {all / 100, all / 2, all * 95 / 100, all}) {
    const std::uint64_t from = given;
    const auto start = std::chrono::steady_clock::now();
    for (; given < until; ++given) all_given = all_given && blocks.allocate({std::to_string(given), 1}, 24, at(0, 0));
    const auto spent = std::chrono::steady_clock::now() - start;
    std::cout << "cidr pool: " << spent / std::chrono::nanoseconds(1) / static_cast<std::int64_t>(until - from)
              << " ns an allocation (two map inserts and a text among it) up to a fill of " << until * 100 / all << " %\n";
  }
  CHECK(all_given);
  CHECK(blocks.allocated() == all);
  CHECK(blocks.allocate({"one more", 1}, 24, at(0, 0)).error().code == Errc::exhausted);
}

}  // namespace
}  // namespace slipway
