// One sample of every family that /metrics has, kept as a file: Prometheus' own tool looks at that file, and alerts and the dashboard
// are held against the names in it (tests/packaging/monitoring.py).
#include <catch2/catch.hpp>

#include "coordinator/api/metrics.hpp"
#include "slipway_test_paths.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::api {
namespace {

constexpr char k_file[] = SLIPWAY_SOURCE_DIR "/tests/contract/golden/metrics.prom";
constexpr char k_time[] = "2026-11-20T12:00:00Z";

MetricsInput one_of_each() {
  MetricsInput input;
  input.now = *parse_rfc3339(k_time);
  proto::NodeView node;
  node.name = "web-1";
  node.phase = "Running";
  node.last_contact = k_time;
  node.components = {{"kubelet", "1.20.2", "running", 2, 812, ""}, {"kube-proxy", "1.20.2", "crash-loop", 9, 0, ""}};
  input.nodes = {node};
  input.certificates = {{"web-1", "agent", "1", "", to_rfc3339(input.now + Seconds(50'000)), ""}};
  proto::PoolView pool;
  pool.name = "default";
  pool.capacity = 256;
  pool.available = 40;
  pool.allocated = 210;
  pool.reserved = 4;
  pool.quarantined = 2;
  pool.used_percent = 84.4;
  pool.exhausted_at = to_rfc3339(input.now + Seconds(864'000));
  pool.largest_free = 22;
  input.pools = {pool};
  input.free_blocks["default"] = {{22, 1}, {24, 36}};
  input.join_requests = {{{"accepted", ""}, 210}, {{"refused", "denied"}, 3}};
  input.renewals = {{"ok", 1900}, {"failed", 1}};
  input.allocations.add(std::chrono::microseconds(50));
  input.allocations.add(std::chrono::microseconds(5'000));
  input.connections = 212;
  input.revision = 4711;
  input.desired_revision = 17;
  input.acknowledged_revision = 16;
  input.waiting_agents = 209;
  input.feed = {3, 14};
  return input;
}

// The version changes with each release and is no news.
std::string without_version(std::string text) {
  const std::string key = "slipway_build_info{version=\"";
  const std::size_t begin = text.find(key);
  REQUIRE(begin != std::string::npos);
  const std::size_t from = begin + key.size();
  return text.replace(from, text.find('"', from) - from, "VERSION");
}

}  // namespace

TEST_CASE("the metrics are those of the file that Prometheus' tools are shown", "[api][metrics]") {
  const std::string text = without_version(render_metrics(one_of_each()));
  INFO("after a change that was meant: put this into " << k_file << "\n" << text);
  CHECK(test::get_file(k_file) == text);
}

}  // namespace slipway::api
