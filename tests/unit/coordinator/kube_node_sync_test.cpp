#include "coordinator/kube/node_sync.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_kube_api.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::kube {
namespace {

struct Fixture {
  test::IoTest io;
  test::ManualClock clock;
  test::FakeKubeApi kube;
  std::vector<LiveNode> live;
  std::vector<std::string> removed;
  std::map<std::string, bool> published;

  std::vector<std::string> notes;               // what the import says
  std::vector<std::vector<KubeNode>> imported;  // what it was called with

  boost::asio::awaitable<Result<std::vector<std::string>>> import(std::vector<KubeNode> objects) {
    if (imported.empty()) CHECK(published.empty());
    imported.push_back(std::move(objects));
    co_return notes;
  }
  NodeSync make() {
    return NodeSync({kube, clock, [this] { return live; }, [this] { return removed; },
                     [this](const std::string& uid, bool value) { published[uid] = value; },
                     [this](std::vector<KubeNode> objects) { return import(std::move(objects)); }});
  }
  Status pass(NodeSync& sync) { return io.run(sync.pass()); }
};

LiveNode live_node(const std::string& name, const std::string& cidr) {
  return {name, "uid-" + name, Cidr::parse(cidr).value(), {}, false};
}

using Cidrs = std::vector<std::string>;

TEST_CASE("a node's block is written once its kubelet has registered", "[kube][sync]") {
  Fixture f;
  f.live = {live_node("a", "10.10.0.0/24")};
  NodeSync sync = f.make();
  REQUIRE(f.pass(sync));
  CHECK(f.published.empty());
  f.kube.objects["a"] = {};
  REQUIRE(f.pass(sync));
  CHECK(f.kube.objects["a"] == Cidrs{"10.10.0.0/24"});
  CHECK(f.published["uid-a"]);
  const int asked = f.kube.get_calls;
  REQUIRE(f.pass(sync));
  CHECK(f.kube.get_calls == asked);  // what is published is not asked for again
  CHECK(f.kube.access_calls == 1);
  CHECK(f.kube.list_calls == 1);
}

TEST_CASE("another block that stands there is reported and left alone", "[kube][sync]") {
  Fixture f;
  f.live = {live_node("a", "10.10.0.0/24")};
  f.kube.objects["a"] = {"10.9.0.0/24"};
  NodeSync sync = f.make();
  REQUIRE(f.pass(sync));
  CHECK(f.kube.objects["a"] == Cidrs{"10.9.0.0/24"});
  CHECK_FALSE(f.published["uid-a"]);
  REQUIRE(sync.conflicts().size() == 1);
  CHECK(sync.conflicts()[0] == "Node a has spec.podCIDR 10.9.0.0/24, its block is 10.10.0.0/24");
  f.kube.objects["a"] = {"10.10.0.0/24"};
  REQUIRE(f.pass(sync));
  CHECK(sync.conflicts().empty());
  CHECK(f.published["uid-a"]);
}

TEST_CASE("objects that are there are imported before anything is written", "[kube][sync]") {
  Fixture f;
  f.live = {live_node("a", "10.10.0.0/24")};
  f.kube.objects = {{"a", {}}, {"foreign", {"10.10.7.0/24"}}};
  f.notes = {"Node foreign has spec.podCIDR 10.10.7.0/24, which lies in no pool"};
  NodeSync sync = f.make();
  f.kube.away = true;
  CHECK_FALSE(f.pass(sync));
  CHECK(f.imported.empty());
  f.kube.away = false;
  REQUIRE(f.pass(sync));
  REQUIRE(f.imported.size() == 1);
  CHECK(f.imported[0].size() == 2);
  CHECK(f.kube.objects["a"] == Cidrs{"10.10.0.0/24"});
  CHECK(sync.conflicts() == f.notes);
}

TEST_CASE("both blocks of a dual-stack node are written", "[kube][sync]") {
  for (const bool dual_stack : {true, false}) {
    Fixture f;
    f.kube.dual_stack = dual_stack;
    f.live = {live_node("a", "10.10.0.0/24")};
    f.live[0].second_pod_cidr = Cidr::parse("fd00:10::/64").value();
    f.kube.objects["a"] = {};
    NodeSync sync = f.make();
    REQUIRE(f.pass(sync));
    CHECK(f.kube.objects["a"] == (dual_stack ? Cidrs{"10.10.0.0/24", "fd00:10::/64"} : Cidrs{"10.10.0.0/24"}));
    NodeSync again = f.make();  // after a restart: what stands there is as it should be
    f.published.clear();
    REQUIRE(f.pass(again));
    CHECK(again.conflicts().empty());
    CHECK(f.published["uid-a"]);
    f.kube.objects["a"] = {"10.10.0.0/24", "fd00:99::/64"};
    NodeSync other = f.make();
    f.published.clear();
    REQUIRE(f.pass(other));
    CHECK(other.conflicts().size() == 1);
  }
}

TEST_CASE("objects of removed nodes go, also after kube-apiserver was away", "[kube][sync]") {
  Fixture f;
  f.kube.objects = {{"a", {}}, {"b", {}}, {"foreign", {}}};
  f.removed = {"a"};
  f.kube.away = true;
  NodeSync sync = f.make();
  CHECK_FALSE(f.pass(sync));
  f.removed.push_back("b");
  sync.removed("b");
  CHECK_FALSE(f.pass(sync));
  f.kube.away = false;
  REQUIRE(f.pass(sync));
  CHECK(f.kube.objects.size() == 1);
  CHECK(f.kube.objects.count("foreign") == 1);
}

TEST_CASE("a name that lives again keeps its object", "[kube][sync]") {
  Fixture f;
  f.kube.objects["a"] = {};
  f.removed = {"a"};
  f.live = {live_node("a", "10.10.3.0/24")};
  NodeSync sync = f.make();
  REQUIRE(f.pass(sync));
  CHECK(f.kube.deleted.empty());
  CHECK(f.kube.objects["a"] == Cidrs{"10.10.3.0/24"});
}

TEST_CASE("the slow look finds what others did", "[kube][sync]") {
  Fixture f;
  f.live = {live_node("a", "10.10.0.0/24")};
  f.kube.objects["a"] = {};
  NodeSync sync = f.make();
  REQUIRE(f.pass(sync));
  f.removed = {"old"};
  f.kube.objects = {{"a", {}},
                    {"old", {}}};  // somebody deleted and re-made a's object; old's kubelet came back
  f.clock.advance(std::chrono::minutes(11));
  REQUIRE(f.pass(sync));
  CHECK(f.kube.objects["a"] == Cidrs{"10.10.0.0/24"});
  REQUIRE(f.pass(sync));
  CHECK(f.kube.objects.count("old") == 0);
}

TEST_CASE("a node that an operator cordoned is so again when its kubelet registers anew", "[kube][sync]") {
  Fixture f;
  f.live = {live_node("a", "10.10.0.0/24"), live_node("b", "10.10.1.0/24")};
  f.live[0].unschedulable = true;
  f.kube.objects["b"] = {};
  f.kube.unschedulable = {"b"};  // by somebody else: left alone
  NodeSync sync = f.make();
  REQUIRE(f.pass(sync));
  f.kube.objects["a"] = {};
  REQUIRE(f.pass(sync));
  CHECK(f.kube.unschedulable == std::set<std::string>{"a", "b"});
  f.kube.unschedulable = {};
  f.clock.advance(std::chrono::minutes(11));
  REQUIRE(f.pass(sync));
  CHECK(f.kube.unschedulable == std::set<std::string>{"a"});
  f.live[0].unschedulable = false;
  f.clock.advance(std::chrono::minutes(11));
  REQUIRE(f.pass(sync));
  CHECK(f.kube.unschedulable == std::set<std::string>{"a"});  // taken back by who took the wish back
}

}  // namespace
}  // namespace slipway::kube
