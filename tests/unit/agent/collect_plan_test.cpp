#include "agent/domain/collect_plan.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

using Steps = std::vector<CollectStep>;

constexpr WallTime k_now{Seconds(1'790'000'000)};

CollectStep version(const std::string& name) { return {Garbage::version, "kubelet", name}; }

}  // namespace

TEST_CASE("collection: older than the previous version goes, what runs stays") {
  struct Row {
    const char* what;
    StoredComponent stored;
    std::set<std::string> running;
    Steps steps;
  };
  const Row rows[] = {
      {"nothing there", {}, {}, {}},
      {"one version", {{"1"}, {}, "1", ""}, {}, {}},
      {"current and previous", {{"1", "2"}, {}, "2", "1"}, {}, {}},
      {"an older one", {{"1", "2", "3"}, {}, "3", "2"}, {}, {version("1")}},
      {"an older one that runs", {{"1", "2", "3"}, {}, "3", "2"}, {"1"}, {}},
      {"two older ones, one runs", {{"1", "2", "3", "4"}, {}, "4", "3"}, {"2", "4"}, {version("1")}},
      {"a newer one that was taken back", {{"1", "2", "3"}, {}, "2", "1"}, {}, {version("3")}},
      {"no previous", {{"1", "2"}, {}, "2", ""}, {}, {version("1")}},
      {"previous is what is current", {{"1", "2"}, {}, "2", "2"}, {}, {version("1")}},
      {"nothing is current", {{"1", "2"}, {}, "", "1"}, {}, {}},
      {"left by a crash", {{"1"}, {".tmp-2", "current.tmp-9"}, "1", ""}, {}, {{Garbage::unfinished, "kubelet", ".tmp-2"}, {Garbage::unfinished, "kubelet", "current.tmp-9"}}},
      {"moved aside while it runs", {{"1"}, {".tmp-1.old"}, "1", ""}, {".tmp-1.old"}, {}},
      {"left by a crash, nothing is current", {{}, {".tmp-2"}, "", ""}, {}, {{Garbage::unfinished, "kubelet", ".tmp-2"}}},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    ProgramsInUse use;
    for (const std::string& name : row.running) use.running.emplace("kubelet", name);
    use.running.emplace("docker", "1");  // of another component
    StoredPrograms stored{{{"kubelet", row.stored}}, {}};
    CHECK(plan_collection(stored, use, k_now) == row.steps);
    // On the result a second pass plans nothing.
    for (const CollectStep& step : row.steps) {
      (step.kind == Garbage::version ? stored.components["kubelet"].versions : stored.components["kubelet"].unfinished).erase(step.name);
    }
    CHECK(plan_collection(stored, use, k_now).empty());
  }
}

TEST_CASE("collection: a part goes a day after its last byte, when nobody wants it") {
  const std::string wanted(64, 'a'), other(64, 'b');
  const auto plan = [&](const std::string& name, Seconds age) { return plan_collection({{}, {{name, k_now - age}}}, {{}, {wanted}}, k_now); };
  CHECK(plan(other + ".part", Seconds(86'399)).empty());
  CHECK(plan(other + ".part", Seconds(86'400)) == Steps{{Garbage::part, "", other + ".part"}});
  CHECK(plan(wanted + ".part", Seconds(864'000)).empty());
  CHECK(plan(other + ".part", Seconds(-3600)).empty());       // written by a clock ahead of ours
  CHECK(plan(wanted, Seconds(864'000)).size() == 1);          // no part of ours
  CHECK(plan("something", Seconds(864'000)).size() == 1);
  CHECK(plan(".part", Seconds(864'000)).size() == 1);
}
