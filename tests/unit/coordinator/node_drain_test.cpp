// Steps of a drain against a kube-apiserver in memory.
#include "coordinator/service/node_drain.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/fake_kube_api.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

struct Fixture {
  Fixture() {
    kube.access = true;
    kube.objects["a"] = {};
  }
  test::FakeKubeApi::Pod& add(const std::string& name, const std::string& controller = "ReplicaSet") {
    kube.pods.push_back({"a", {"default", name, "uid-" + name, controller, false, false, false}});
    return kube.pods.back();
  }
  proto::DrainReport step(bool force = false) {
    const auto done = io.run(drain.step("a", force));
    INFO(done);
    REQUIRE(done);
    return done->report;
  }

  test::IoTest io;
  test::ManualClock clock;
  test::FakeKubeApi kube;
  NodeDrain drain{kube, kube, clock};
};

TEST_CASE("pods are asked to go, but those of DaemonSets and the kubelet's own", "[drain]") {
  Fixture f;
  f.add("web-1");
  f.add("proxy-1", "DaemonSet");
  f.add("static-1", "Node").pod.mirror = true;
  f.add("ended-daemon", "DaemonSet").pod.finished = true;
  f.kube.pods.push_back({"b", {"default", "elsewhere", "u", "ReplicaSet", false, false, false}});
  const auto first = f.step();
  CHECK(first.evicted == 2);
  CHECK(first.staying == 2);
  CHECK_FALSE(first.done);  // asked is not gone
  REQUIRE(first.pods.size() == 2);
  CHECK(first.pods[0].state == "ending");
  CHECK(f.kube.evicted == std::vector<std::string>{"default/web-1", "default/ended-daemon"});
  const auto second = f.step();
  CHECK(second.done);
  CHECK(second.evicted == 0);
  CHECK(second.staying == 2);
  CHECK(f.step().done);
}

TEST_CASE("a disruption budget is asked again at each step, and does not hold the others up", "[drain]") {
  Fixture f;
  f.add("web-1").blocked = 2;
  f.add("web-2");
  for (int i = 0; i < 2; ++i) {
    const auto report = f.step();
    REQUIRE_FALSE(report.pods.empty());
    CHECK(report.pods[0].name == "web-1");
    CHECK(report.pods[0].state == "blocked");
    CHECK(report.pods[0].reason.find("disruption budget") != std::string::npos);
  }
  CHECK(f.kube.evicted == std::vector<std::string>{"default/web-2"});
  CHECK(f.step().evicted == 1);
  CHECK(f.step().done);
}

TEST_CASE("what nothing would make anew is kept unless forced", "[drain]") {
  Fixture f;
  f.add("bare", "");
  f.add("job", "").pod.finished = true;
  const auto report = f.step();
  CHECK(report.evicted == 1);
  CHECK(report.pods[0].state == "kept");
  CHECK(report.pods[0].reason.find("--force") != std::string::npos);
  CHECK(f.step().pods.size() == 1);
  CHECK(f.step(true).evicted == 1);
  CHECK(f.step().done);
}

TEST_CASE("a pod that is ending is waited for and not asked again", "[drain]") {
  Fixture f;
  f.add("slow").gone_at_once = false;
  f.step();
  CHECK(f.step().pods.at(0).reason == "it is ending");
  CHECK(f.kube.evicted.size() == 1);
  f.kube.pods.clear();
  CHECK(f.step().done);
}

TEST_CASE("without kube-apiserver a step fails as such", "[drain]") {
  Fixture f;
  f.add("web-1");
  f.kube.away = true;
  CHECK(f.io.run(f.drain.step("a", false)).error().code == Errc::unavailable);
  CHECK(f.io.run(f.drain.set_unschedulable("a", true)).error().code == Errc::unavailable);
  f.kube.away = false;
  CHECK(f.io.run(f.drain.set_unschedulable("a", true)));
  CHECK(f.kube.unschedulable.count("a") == 1);
  CHECK(f.io.run(f.drain.set_unschedulable("b", true)).error().code == Errc::not_found);
  CHECK(f.step().evicted == 1);
}

// A kube-apiserver that answers when the test says so.
class SlowKube final : public KubeApi, public KubePods {
 public:
  boost::asio::awaitable<Status> ensure_access() override { co_return Status{}; }
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override { co_return std::vector<KubeNode>(); }
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string) override { co_return KubeNode{}; }
  boost::asio::awaitable<Status> set_pod_cidr(std::string, Cidr, std::optional<Cidr>) override { co_return Status{}; }
  boost::asio::awaitable<Status> set_marks(std::string, KubeMarks) override { co_return Status{}; }
  boost::asio::awaitable<Status> delete_node(std::string) override { co_return Status{}; }
  boost::asio::awaitable<Status> evict_pod(KubePod) override { co_return Status{}; }
  boost::asio::awaitable<Result<std::vector<KubePod>>> list_pods(std::string) override { co_return std::vector<KubePod>(); }
  boost::asio::awaitable<Status> set_unschedulable(std::string, bool) override {
    most = std::max(most, ++under_way);
    boost::asio::awaitable<bool> waiting = answers.wait(Millis(60'000));
    co_await std::move(waiting);
    --under_way;
    ++done;
    co_return Status{};
  }
  Notifier answers;
  int under_way = 0, most = 0, done = 0;
};

TEST_CASE("callers take turns: kube-apiserver is asked one thing at a time", "[drain]") {
  test::IoTest io;
  test::ManualClock clock;
  SlowKube kube;
  NodeDrain drain(kube, kube, clock);
  std::vector<std::shared_ptr<test::IoTest::Outcome<Status>>> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(io.start(drain.set_unschedulable("a", true)));
  for (int i = 0; i < 20 && kube.done < 3; ++i) {
    io.poll();
    kube.answers.notify();
  }
  io.poll();
  for (const auto& call : calls) {
    REQUIRE(call->done);
    CHECK(*call->value);
  }
  CHECK(kube.most == 1);
}

}  // namespace
}  // namespace slipway
