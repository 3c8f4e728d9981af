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

  NodeSync make() {
    return NodeSync({kube, clock, [this] { return live; }, [this] { return removed; },
                     [this](const std::string& uid, bool value) { published[uid] = value; }});
  }
  Status pass(NodeSync& sync) { return io.run(sync.pass()); }
};

LiveNode live_node(const std::string& name, const std::string& cidr) {
  return {name, "uid-" + name, Cidr::parse(cidr).value()};
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

}  // namespace
}  // namespace slipway::kube
