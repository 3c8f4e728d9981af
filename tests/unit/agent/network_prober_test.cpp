// An agent's part in a probe of the network, from the word of it to the report.
#include <catch2/catch.hpp>
#include <set>

#include "agent/service/desired_sync.hpp"
#include "agent/service/network_prober.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {
namespace {

class FakePinger final : public Pinger {
 public:
  boost::asio::awaitable<Result<std::vector<PingOutcome>>> ping(std::vector<Ping> pings) override {
    asked.push_back(pings);
    if (error) co_return *error;
    std::vector<PingOutcome> outcomes;
    for (const Ping& ping : pings)
      outcomes.push_back({silent.count(ping.to) > 0 ? PingResult::silent : PingResult::answered, 0});
    co_return outcomes;
  }
  std::set<IpAddress> silent;
  std::optional<Error> error;
  std::vector<std::vector<Ping>> asked;
};

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

struct Rig {
  ServiceFixture world;
  AgentLife life{world};
  FakeNetwork network{ip("10.77.0.13"), 24};
  FakePinger pinger;
  std::vector<IpAddress> leased;
  NetworkProber prober{
      {world.coordinator, network, pinger, world.workers, life.state, [this] { return leased; }}};
  DesiredSync sync{life.deps(), 1};

  Rig() {
    REQUIRE(life.attempt());
    world.coordinator.publish(world.coordinator.desired(1));
    REQUIRE(world.io.run(sync.poll_once()));
    const std::string block = life.state.identity->pod_cidr;
    const Cidr own = *Cidr::parse(block);
    network.state().links.push_back({7, "cni0", 0, true, true, 1500, {{own.at(1), own.prefix_length()}}});
    leased = {own.at(2), own.at(3)};
    world.coordinator.targets = {{"n2", {"10.77.0.22"}, {"10.10.200.1"}, {"10.10.200.7"}}};
  }
  Status poll() { return world.io.run(sync.poll_once()); }
  void tell() {
    world.coordinator.probe = "p1";
    REQUIRE(poll());
  }
  Status take_part() { return world.io.run(prober.take_part()); }
};

TEST_CASE("an agent hears of a probe with the question for news, once", "[agent][probe]") {
  Rig rig;
  rig.life.state.probe_news.take();
  REQUIRE(rig.poll());
  CHECK_FALSE(rig.life.state.probe_news.is_set());
  rig.world.coordinator.probe = "p1";
  const auto revision = rig.life.state.desired->revision;
  REQUIRE(rig.poll());
  CHECK(rig.life.state.probe_news.take());
  CHECK(rig.life.state.probe == "p1");
  CHECK(rig.life.state.desired->revision == revision);
  REQUIRE(rig.poll());
  CHECK(rig.world.coordinator.positions.back().probe == "p1");
  CHECK_FALSE(rig.life.state.probe_news.is_set());
}

TEST_CASE("an agent offers the pods that answer, pings whom it is told to and reports what is lost",
          "[agent][probe]") {
  Rig rig;
  rig.tell();
  rig.pinger.silent = {rig.leased[0], ip("10.77.0.22")};
  REQUIRE(rig.take_part());
  REQUIRE(rig.world.coordinator.offers.size() == 1);
  const auto& offer = rig.world.coordinator.offers[0];
  CHECK(offer.probe == "p1");
  CHECK(offer.bridges.size() == 1);
  CHECK(offer.pods == std::vector<std::string>{rig.leased[1].to_string()});
  REQUIRE(rig.world.coordinator.probe_reports.size() == 1);
  const auto& report = rig.world.coordinator.probe_reports[0];
  CHECK(report.probe == "p1");
  CHECK(report.pings == 6);
  CHECK(report.losses == std::vector<proto::ProbeLoss>{{"n2", "node", "10.77.0.22", 0, "silent", 0}});
}

TEST_CASE("an agent that cannot take part says why and reports nothing", "[agent][probe]") {
  Rig rig;
  rig.tell();
  rig.world.coordinator.probe = "p2";
  CHECK_FALSE(rig.take_part());
  CHECK(rig.pinger.asked.size() == 1);  // its own pods only
  rig.world.coordinator.probe = "p1";
  rig.pinger.error = make_error(Errc::denied, "no socket");
  CHECK_FALSE(rig.take_part());
  rig.pinger.error.reset();
  rig.network.observe_error = make_error(Errc::internal, "no netlink");
  CHECK_FALSE(rig.take_part());
  rig.network.observe_error.reset();
  rig.life.state.desired.reset();
  CHECK_FALSE(rig.take_part());
  CHECK(rig.world.coordinator.probe_reports.empty());
}

TEST_CASE("an agent on which no pod has run is probed by its own address", "[agent][probe]") {
  Rig rig;
  rig.tell();
  rig.network.state().links.pop_back();
  REQUIRE(rig.take_part());
  CHECK(rig.world.coordinator.offers.at(0).bridges.empty());
  CHECK_FALSE(rig.world.coordinator.offers.at(0).note.empty());
  CHECK(rig.world.coordinator.probe_reports.at(0).pings == 2);
}

}  // namespace
}  // namespace slipway::test
