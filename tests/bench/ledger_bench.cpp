// What the CIDR ledger costs: an allocation, its release and the memory, at several fills of 10.0.0.0/8 cut in /24s.
// Run: ledger_bench [--benchmark_filter=...] [--benchmark_repetitions=5]   (Google Benchmark's options)
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstdio>
#include <string>
#include <vector>

#include "coordinator/domain/cidr_ledger.hpp"

namespace slipway {
namespace {

constexpr std::size_t k_blocks = 65'536;
constexpr std::size_t k_batch = 512;  // allocations measured at a fill, then given back outside of the measurement
const Maturity k_later{WallTime(Seconds(1'000'000)), Seconds(0), UINT64_MAX};

struct Owner {
  NodeWish wish;
  CidrOwner owner;
  Cidr block;
};

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "ledger_bench: %s\n", text.c_str());
  std::exit(1);
}

CidrLedger make_ledger() {
  CidrLedger ledger;
  PoolRecord pool;
  pool.name = k_default_pool;
  pool.order = 1;
  pool.ranges = {Cidr::parse("10.0.0.0/8").value()};
  pool.node_prefix_length = 24;
  if (!ledger.put_pool(pool)) die("no pool");
  return ledger;
}

std::vector<Owner> owners(std::size_t from, std::size_t count) {
  std::vector<Owner> made(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(from + i);
    made[i].wish.name = "node-" + number;
    made[i].owner = {"6f1a2b3c-4d5e-4f60-8171-" + std::string(12 - number.size(), '0') + number, 1};
  }
  return made;
}

void allocate(CidrLedger& ledger, std::vector<Owner>& nodes) {
  for (Owner& node : nodes) {
    const auto grant = ledger.allocate(node.wish, node.owner, k_later);
    if (!grant) die(grant.error().message);
    node.block = grant->primary;
  }
}

void release(CidrLedger& ledger, const std::vector<Owner>& nodes) {
  for (const Owner& node : nodes) {
    if (!ledger.release({node.block}, node.owner, WallTime{}, 1)) die("not released");
  }
  (void)ledger.mature(k_later);
}

// `scattered`: what is free lies here and there, as after years of removals, not in one piece at the end.
void fill(CidrLedger& ledger, std::size_t percent, bool scattered) {
  const std::size_t wanted = std::min(k_blocks * percent / 100, k_blocks - k_batch);
  auto all = owners(1'000'000, scattered ? k_blocks : wanted);
  allocate(ledger, all);
  if (!scattered) return;
  std::vector<Owner> going;
  const std::size_t leave = k_blocks - wanted;
  for (std::size_t i = 0; i < leave; ++i) going.push_back(all[i * 40'503 % k_blocks]);  // odd: a permutation
  release(ledger, going);
}

template <bool scattered>
void allocation(benchmark::State& state) {
  CidrLedger ledger = make_ledger();
  fill(ledger, static_cast<std::size_t>(state.range(0)), scattered);
  auto nodes = owners(0, k_batch);
  for (auto _ : state) {
    allocate(ledger, nodes);
    state.PauseTiming();
    release(ledger, nodes);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(k_batch));
  state.counters["per_allocation"] = benchmark::Counter(static_cast<double>(k_batch), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void release_and_rest(benchmark::State& state) {
  CidrLedger ledger = make_ledger();
  fill(ledger, static_cast<std::size_t>(state.range(0)), true);
  auto nodes = owners(0, k_batch);
  for (auto _ : state) {
    state.PauseTiming();
    allocate(ledger, nodes);
    state.ResumeTiming();
    release(ledger, nodes);
  }
  state.counters["per_release"] = benchmark::Counter(static_cast<double>(k_batch), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void refusal_when_full(benchmark::State& state) {
  CidrLedger ledger = make_ledger();
  auto all = owners(1'000'000, k_blocks);
  allocate(ledger, all);
  const NodeWish wish{"one-more", NodeRole::node, ""};
  for (auto _ : state) benchmark::DoNotOptimize(ledger.can_allocate(wish, k_later));
  state.counters["pool_bytes"] = static_cast<double>(ledger.pool(k_default_pool)->memory_bytes());
}

BENCHMARK(allocation<false>)->Name("allocate/in_order/fill_percent")->Arg(0)->Arg(25)->Arg(50)->Arg(75)->Arg(99)->MinTime(0.3);
BENCHMARK(allocation<true>)->Name("allocate/scattered/fill_percent")->Arg(0)->Arg(25)->Arg(50)->Arg(75)->Arg(99)->MinTime(0.3);
BENCHMARK(release_and_rest)->Name("release/fill_percent")->Arg(0)->Arg(50)->Arg(99)->MinTime(0.3);
BENCHMARK(refusal_when_full)->Name("refuse/full");

}  // namespace
}  // namespace slipway

BENCHMARK_MAIN();
