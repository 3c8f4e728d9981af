// A coordinator that may run on one core only: the state thread does all I/O itself.
#include <sched.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

// This thread, and those that it starts, on the first core that it may run on; as before at the end.
class OneCore {
 public:
  OneCore() {
    REQUIRE(::sched_getaffinity(0, sizeof before_, &before_) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &one);
    }
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  }
  ~OneCore() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_;
};

// Threads of this process that do I/O only.
std::size_t io_threads() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (get_file(task.path() / "comm").starts_with("io-")) ++count;
  }
  return count;
}

TEST_CASE("a coordinator on one core serves joins, waiting agents, reports, operators and its own end", "[cluster]") {
  const OneCore pinned;
  ClusterFixture cluster;
  cluster.io_threads = 0;
  cluster.start();
  CHECK(io_threads() == 0);
  SimulatedAgent first = joined(cluster, "node-1", 11);
  Caller agent = first.caller(cluster);
  proto::NodeStatusReport report;
  report.phase = "Running";
  CHECK(agent.post("/v1/agent/status", proto::encode(report)).status == 204);
  const auto state = as<proto::DesiredState>(agent.get("/v1/agent/sync"));
  // One waits while another joins.
  std::optional<Clients::Reply> news;
  const std::string question = "/v1/agent/sync?wait=60&epoch=" + state.epoch + "&revision=" + std::to_string(state.revision);
  cluster.clients.start(agent.client.send(request_of(http::Method::get, question), std::chrono::seconds(70)),
                        [&news](Clients::Reply reply) { news = std::move(reply); });
  joined(cluster, "node-2", 12);
  cluster.clients.run_until([&news] { return news.has_value(); });
  REQUIRE(*news);
  CHECK(as<proto::DesiredState>(**news).nodes.size() == 2);
  CHECK(as<proto::NodeView>(cluster.admin().get("/v1/nodes/node-1")).phase == "Running");
  CHECK(cluster.admin().remove("/v1/nodes/node-1").status == 204);
  CHECK(first.caller(cluster).get("/v1/agent/sync").status == 410);
  CHECK(first.caller(cluster).post("/v1/agent/status", "{}").status == 410);
  cluster.stop();
}

}  // namespace
}  // namespace slipway::test
