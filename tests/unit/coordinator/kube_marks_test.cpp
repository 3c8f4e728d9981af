// Labels and taints of Node objects.
#include "coordinator/kube/marks.hpp"

#include <catch2/catch.hpp>

#include "coordinator/kube/node_sync.hpp"
#include "coordinator/kube/objects.hpp"
#include "tests/support/fake_kube_api.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::kube {
namespace {

using Names = std::vector<std::string>;

proto::Taint taint(const std::string& text) {
  return proto::parse_taint(text).value();
}

TEST_CASE("only what is ours is changed", "[kube][marks]") {
  KubeNode object;
  object.labels = {{"foreign", "1"}, {"old", "x"}, {"zone", "wrong"}, {"gone", "x"}};
  object.taints = {{"foreign", "", "NoExecute", "2026-01-01T00:00:00Z"},
                   {"old", "", "NoSchedule", ""},
                   {"k", "1", "NoSchedule", ""}};
  object.resource_version = "7";
  const WantedMarks marks{{{{"zone", "a"}, {"new", ""}}, {taint("k=2:NoSchedule"), taint("t:NoExecute")}},
                          {"gone", "never-set", "old"},
                          {"old:NoSchedule"}};
  const MarksPlan plan = plan_marks(object, marks);
  REQUIRE(plan.change);
  CHECK(plan.change->labels ==
        std::map<std::string, std::optional<std::string>>{
            {"gone", std::nullopt}, {"new", ""}, {"old", std::nullopt}, {"zone", "a"}});
  CHECK(plan.change->taints == std::vector<KubeTaint>{{"foreign", "", "NoExecute", "2026-01-01T00:00:00Z"},
                                                      {"k", "2", "NoSchedule", ""},
                                                      {"t", "", "NoExecute", ""}});
  CHECK(plan.change->resource_version == "7");
  CHECK(plan.labels_before == Names{"gone", "never-set", "new", "old", "zone"});
  CHECK(plan.labels_after == Names{"new", "zone"});
  CHECK(plan.taints_after == Names{"k:NoSchedule", "t:NoExecute"});
  object.labels = {{"foreign", "1"}, {"zone", "a"}, {"new", ""}};
  object.taints = *plan.change->taints;
  CHECK_FALSE(plan_marks(object, marks).change);
  CHECK(
      marks_patch(
          {{{"a", "b"}, {"c", std::nullopt}}, std::vector<KubeTaint>{{"k", "", "NoSchedule", ""}}, "7"}) ==
      R"({"metadata":{"labels":{"a":"b","c":null},"resourceVersion":"7"},"spec":{"taints":[{"effect":"NoSchedule","key":"k"}]}})");
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"n"},"spec":{"taints":[{"value":"x"}]}})"));
  const auto read = parse_node(
      R"({"metadata":{"name":"n","resourceVersion":"7","labels":{"a":"b"}},"spec":{"taints":[{"key":"k","effect":"NoExecute","timeAdded":"t"}]}})");
  REQUIRE(read);
  CHECK(read->labels.at("a") == "b");
  CHECK(read->taints == std::vector<KubeTaint>{{"k", "", "NoExecute", "t"}});
}

struct Fixture {
  test::IoTest io;
  test::ManualClock clock;
  test::FakeKubeApi kube;
  WantedMarks marks;
  std::uint64_t revision = 1;
  std::vector<Names> recorded;

  boost::asio::awaitable<Status> record(std::string, Names labels, Names taints) {
    recorded.push_back(labels);
    marks.applied_labels = std::move(labels);
    marks.applied_taints = std::move(taints);
    co_return Status{};
  }
  NodeSync make() {
    NodeSyncDeps deps{
        kube, clock,
        [] {
          return std::vector<LiveNode>{{"n", "uid", Cidr::parse("10.10.0.0/24").value(), {}, false}};
        },
        [] { return Names(); }, [](const std::string&, bool) {}};
    deps.marks = [this](const std::string&) { return marks; };
    deps.record_marks = [this](std::string uid, Names labels, Names taints) {
      return record(std::move(uid), std::move(labels), std::move(taints));
    };
    deps.marks_revision = [this] { return revision; };
    return NodeSync(std::move(deps));
  }
};

TEST_CASE("labels and taints are set after registration, changed, mended and taken away", "[kube][marks]") {
  Fixture f;
  f.marks.wanted = {{{"disk", "ssd"}}, {taint("k=v:NoSchedule")}};
  NodeSync sync = f.make();
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.mark_calls == 0);  // not registered yet
  f.kube.objects["n"] = {};
  f.kube.labels["n"] = {{"foreign", "1"}};
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.labels["n"] == std::map<std::string, std::string>{{"disk", "ssd"}, {"foreign", "1"}});
  CHECK(f.kube.taints["n"] == std::vector<KubeTaint>{{"k", "v", "NoSchedule", ""}});
  CHECK(f.recorded == std::vector<Names>{{"disk"}});
  const int asked = f.kube.get_calls;
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.get_calls == asked);  // nothing changed: nobody is asked

  f.marks.wanted = {{{"tier", "a"}}, {}};
  ++f.revision;
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.labels["n"] == std::map<std::string, std::string>{{"foreign", "1"}, {"tier", "a"}});
  CHECK(f.kube.taints["n"].empty());
  // Before: all that may be ours; after: what is.
  CHECK(f.recorded == std::vector<Names>{{"disk"}, {"disk", "tier"}, {"tier"}});

  f.kube.labels["n"]["tier"] = "somebody's";
  f.clock.advance(std::chrono::minutes(11));
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.labels["n"]["tier"] == "a");
}

TEST_CASE("while kube-apiserver is away nothing is forgotten", "[kube][marks]") {
  Fixture f;
  f.kube.objects["n"] = {};
  NodeSync sync = f.make();
  REQUIRE(f.io.run(sync.pass()));
  f.marks.wanted = {{{"a", "b"}}, {}};
  ++f.revision;
  f.kube.away = true;
  CHECK_FALSE(f.io.run(sync.pass()));
  f.kube.away = false;
  REQUIRE(f.io.run(sync.pass()));
  CHECK(f.kube.labels["n"].at("a") == "b");
}

}  // namespace
}  // namespace slipway::kube
