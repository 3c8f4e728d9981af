// The RouteHook port: the same cases against the fake and against a program; then what only a program can do wrong.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include "coordinator/routes/program_hook.hpp"
#include "coordinator/routes/route_notes_file.hpp"
#include "slipway_test_paths.hpp"
#include "tests/support/fake_route_hook.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

const OutsideRoute k_route{*Cidr::parse("10.10.3.0/24"), *IpAddress::parse("192.168.10.13"), "n3"};

void write_program(const std::string& path, const std::string& text, mode_t mode = 0755) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

struct HookRig {
  virtual ~HookRig() = default;
  virtual RouteHook& hook() = 0;
  IoTest io;
};

struct FakeHookRig final : HookRig {
  FakeRouteHook fake;
  RouteHook& hook() override { return fake; }
};

ProgramHookSettings settings_of(const std::string& program) {
  ProgramHookSettings settings;
  settings.command = {program};
  settings.cluster_name = "demo";
  settings.cluster_id = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
  return settings;
}

// A table in a file, as one of the examples keeps it for BIRD.
struct ProgramHookRig final : HookRig {
  TempDir dir;
  std::unique_ptr<ProgramHook> program;
  ProgramHookRig() {
    ProgramHookSettings settings = settings_of(std::string(SLIPWAY_SOURCE_DIR) + "/packaging/examples/routes-hook/bird");
    // Instead of birdc: this case is about the program's part.
    write_program(dir / "birdc", "#!/bin/sh\necho Reconfigured\n");
    write_program(dir / "hook", "#!/bin/sh\nPATH=" + dir.path() + ":$PATH exec " + settings.command.front() + " " + (dir / "routes.conf") + "\n");
    settings.command = {dir / "hook"};
    program = std::move(*ProgramHook::make(std::move(settings)));
  }
  RouteHook& hook() override { return *program; }
};

void for_each_hook(const std::function<void(HookRig&)>& run) {
  SECTION("fake") {
    FakeHookRig rig;
    run(rig);
  }
  SECTION("program") {
    ProgramHookRig rig;
    run(rig);
  }
}

std::vector<FoundRoute> listed(HookRig& rig) {
  auto found = rig.io.run(rig.hook().list());
  INFO((found ? std::string() : found.error().message));
  REQUIRE(found);
  return *found;
}

std::unique_ptr<ProgramHook> hook_of(const TempDir& dir, const std::string& script, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
  write_program(dir / "hook", "#!/bin/sh\n" + script);
  ProgramHookSettings settings = settings_of(dir / "hook");
  settings.timeout = timeout;
  return *ProgramHook::make(std::move(settings));
}

}  // namespace

TEST_CASE("route hook: what is created is listed, replaced and removed", "[route-hook]") {
  for_each_hook([](HookRig& rig) {
    CHECK(listed(rig).empty());
    REQUIRE(rig.io.run(rig.hook().create(k_route)));
    REQUIRE(rig.io.run(rig.hook().create(k_route)));  // once more: nothing to do
    CHECK(listed(rig) == std::vector<FoundRoute>{{k_route.destination, k_route.next_hop}});
    OutsideRoute moved = k_route;
    moved.next_hop = *IpAddress::parse("192.168.10.14");
    moved.replaces = {k_route.next_hop};
    REQUIRE(rig.io.run(rig.hook().create(moved)));
    CHECK(listed(rig) == std::vector<FoundRoute>{{moved.destination, moved.next_hop}});
    REQUIRE(rig.io.run(rig.hook().remove(k_route)));  // another next hop: not this one
    CHECK(listed(rig).size() == 1);
    REQUIRE(rig.io.run(rig.hook().remove(moved)));
    REQUIRE(rig.io.run(rig.hook().remove(moved)));
    CHECK(listed(rig).empty());
  });
}

TEST_CASE("a routes hook is told all in one JSON document", "[route-hook]") {
  TempDir dir;
  IoTest io;
  const auto hook = hook_of(dir, "cat > " + (dir / "input") + "\n");
  REQUIRE(io.run(hook->create(k_route)));
  std::string input;
  std::getline(std::ifstream(dir / "input"), input);
  CHECK(input == R"({"version":1,"action":"create","clusterName":"demo","clusterId":"7c9e6679-7425-40de-944b-e07fc1f90ae7",)"
                 R"("route":{"destination":"10.10.3.0/24","nextHop":"192.168.10.13","node":"n3","name":"slipway-demo-10-10-3-0-24","replaces":[]}})");
  OutsideRoute moved = k_route;
  moved.replaces = {*IpAddress::parse("192.168.10.99")};
  REQUIRE(io.run(hook->create(moved)));
  std::getline(std::ifstream(dir / "input"), input);
  CHECK(input.find(R"("replaces":["192.168.10.99"])") != std::string::npos);
}

TEST_CASE("a routes hook that fails is quoted in one line", "[route-hook]") {
  TempDir dir;
  IoTest io;
  const auto hook = hook_of(dir, "echo first >&2; printf 'quota \\033[31mexceeded\\n' >&2; exit 3\n");
  const Status done = io.run(hook->create(k_route));
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Errc::unavailable);
  CHECK(done.error().message.find("create: exit code 3: quota  [31mexceeded") != std::string::npos);
}

TEST_CASE("a routes hook that does not end is killed with what it started", "[route-hook]") {
  TempDir dir;
  IoTest io;
  const auto hook = hook_of(dir, "echo $$ > " + (dir / "pid") + "\nsleep 600 & wait\n", std::chrono::milliseconds(300));
  const Status done = io.run(hook->create(k_route));
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Errc::timeout);
  pid_t group = 0;
  std::ifstream(dir / "pid") >> group;
  REQUIRE(group > 1);
  // A killed child of a killed parent waits for init to bury it: gone or a zombie, but nothing that runs.
  const auto runs = [group] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string stat;
      std::getline(std::ifstream(entry.path() / "stat"), stat);
      const auto after = stat.rfind(')');
      if (after == std::string::npos) continue;
      std::istringstream words(stat.substr(after + 1));
      std::string state;
      pid_t parent = 0, its_group = 0;
      words >> state >> parent >> its_group;
      if (its_group == group && state != "Z") return true;
    }
    return false;
  };
  for (int i = 0; i < 500 && runs(); ++i) std::this_thread::yield();
  CHECK_FALSE(runs());
}

TEST_CASE("stopping ends a call of the routes hook that runs", "[route-hook]") {
  TempDir dir;
  IoTest io;
  const auto hook = hook_of(dir, "echo started > " + (dir / "started") + "\nsleep 600\n", std::chrono::seconds(300));
  const auto creating = io.start(hook->create(k_route));
  while (!std::filesystem::exists(dir / "started")) io.poll();
  hook->stop();
  while (!creating->done) io.poll();
  REQUIRE_FALSE(*creating->value);
  CHECK(creating->value->error().code == Errc::canceled);
}

TEST_CASE("a routes hook's answer that is none is refused", "[route-hook]") {
  for (const char* answer : {"", "routes", "[]", "{}", R"({"routes":[{"destination":"10.10.3.0/24"}]})", R"({"routes":[{"destination":"10.10.3.1/24","nextHop":"1.2.3.4"}]})",
                             R"({"routes":{"a":1}})", R"({"routes":[7]})"}) {
    INFO(answer);
    const auto routes = parse_routes(answer);
    REQUIRE_FALSE(routes);
    CHECK(routes.error().message.find("routes hook's answer to list") != std::string::npos);
  }
  std::string many = R"({"routes":[)";
  for (int i = 0; i <= 100'000; ++i) many += R"({"destination":"10.10.3.0/24","nextHop":"1.2.3.4"},)";
  many.back() = ']';
  CHECK_FALSE(parse_routes(many + "}"));
}

TEST_CASE("routes into gateways without an address are in the way like others", "[route-hook]") {
  const auto routes = parse_routes(R"({"routes":[{"destination":"0.0.0.0/0","nextHop":"igw-1234"},{"destination":"10.10.3.0/24","nextHop":"10.77.0.3"}]})");
  REQUIRE(routes);
  REQUIRE(routes->size() == 2);
  CHECK((*routes)[0].next_hop == IpAddress());
  CHECK((*routes)[1].next_hop.to_string() == "10.77.0.3");
}

TEST_CASE("a routes hook that others can write is not run", "[route-hook]") {
  TempDir dir;
  write_program(dir / "hook", "#!/bin/sh\ntouch " + (dir / "ran") + "\n", 0775);
  IoTest io;
  const auto hook = *ProgramHook::make(settings_of(dir / "hook"));
  const Status done = io.run(hook->create(k_route));
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("chmod go-w") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir / "ran"));
  CHECK_FALSE(check_hook_program(dir / "nothing"));
  CHECK_FALSE(check_hook_program(dir.path()));
}

TEST_CASE("settings of the routes hook have bounds", "[route-hook]") {
  using Hook = proto::RoutesHook;
  CHECK(hook_settings(Hook{{"/bin/true"}, "30s", 4, "60s"}));
  for (const Hook& hook : {Hook{{"true"}, "30s", 4, "60s"}, Hook{{}, "30s", 4, "60s"}, Hook{{"/bin/true"}, "0s", 4, "60s"}, Hook{{"/bin/true"}, "6m", 4, "60s"},
                           Hook{{"/bin/true"}, "30s", 0, "60s"}, Hook{{"/bin/true"}, "30s", 33, "60s"}, Hook{{"/bin/true"}, "30s", 4, "soon"}, Hook{{"/bin/true"}, "30s", 4, "25h"}}) {
    const auto settings = hook_settings(hook);
    REQUIRE_FALSE(settings);
    CHECK(settings.error().message.find("/routesHook/") == 0);
  }
}

TEST_CASE("the notes of routes outside outlive the process, and damaged ones are no empty ones", "[route-hook]") {
  TempDir dir;
  IoTest io;
  Workers workers{1};
  RouteNotesFile notes(workers, dir / "routes/set.json");
  auto none = io.run(notes.load());
  REQUIRE(none);
  CHECK(none->empty());
  const std::vector<OwnRoute> own = {{k_route.destination, {k_route.next_hop, *IpAddress::parse("192.168.10.14")}}, {*Cidr::parse("fd00:10:3::/64"), {*IpAddress::parse("fd00::13")}}};
  REQUIRE(io.run(notes.save(own)));
  auto kept = io.run(notes.load());
  REQUIRE(kept);
  CHECK(*kept == own);
  std::ofstream(dir / "routes/set.json") << R"({"routes":[{"destination":"10.10.3.0/2)";
  CHECK_FALSE(io.run(notes.load()));
}
