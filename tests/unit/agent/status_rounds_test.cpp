// What the rounds of a quiet agent leave out, and that they do not leave it out for long.
#include <catch2/catch.hpp>

#include "agent/service/status.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {
namespace {

UnitStatus running(const std::string& name) {
  UnitStatus unit;
  unit.name = name;
  unit.load = UnitLoad::loaded;
  unit.active = UnitActivity::active;
  unit.sub_state = "running";
  unit.main_pid = 4711;
  unit.invocation = "aa11";
  return unit;
}

struct Rig {
  ServiceFixture world;
  AgentLife life{world, 1 << 30};
  UnitWorld units{world.dir.path()};
  int environments = 0;
  std::vector<proto::AgentLocalStatus> files;
  std::string environment = std::string("INVOCATION_ID=aa11\0", 19);
  StatusReporter reporter{{world.coordinator, units, world.clock, life.state,
                           [this](const proto::AgentLocalStatus& status) {
                             files.push_back(status);
                             return Status{};
                           },
                           [](const std::string&) {},
                           [this](std::int32_t) {
                             ++environments;
                             return Result<std::string>(environment);
                           }}};

  Rig() {
    REQUIRE(life.attempt());
    PassReport pass;
    pass.components = {{"kubelet", "1.20.2", "", "", "kubelet.service", std::nullopt}};
    life.state.last_pass = pass;
    life.state.units["kubelet.service"] = running("kubelet.service");
  }
  void round() {
    REQUIRE(world.io.run(reporter.tick()));
    world.clock.advance(std::chrono::seconds(10));
  }
};

}  // namespace

TEST_CASE("a process is looked at in every third round, and at once when the unit is another", "[agent][status]") {
  Rig rig;
  for (int i = 0; i < 6; ++i) rig.round();
  CHECK(rig.environments == 2);
  rig.life.state.units["kubelet.service"].invocation = "bb22";
  rig.environment = std::string("INVOCATION_ID=bb22\0", 19);
  rig.round();
  CHECK(rig.environments == 3);
}

TEST_CASE("the local file is written when there is something new in it, and within a minute all the same", "[agent][status]") {
  Rig rig;
  for (int i = 0; i < 13; ++i) rig.round();
  REQUIRE(rig.files.size() == 3);  // at once, after 50 s, after 100 s
  CHECK(rig.files[1].updated_at > rig.files[0].updated_at);
  rig.life.state.units["kubelet.service"].active = UnitActivity::failed;
  rig.life.state.units["kubelet.service"].main_pid = 0;
  rig.round();
  CHECK(rig.files.size() == 4);
}

}  // namespace slipway::test
