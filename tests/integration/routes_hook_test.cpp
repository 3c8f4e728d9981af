// Backend routes with a real coordinator: joins and removals come to the operator's program, and its failures to `slipwayctl health`.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

// Waits longer than any test: what happens here happens because of a join or a removal.
constexpr const char* k_long_period = "1h";

// A routes hook that keeps its table in a file, notes its calls, and refuses while there is a file `refuse`.
constexpr const char* k_hook = R"sh(#!/bin/sh
cd "$(dirname "$0")" || exit 1
read -r request
route=$(printf '%s' "$request" | sed -n 's/.*"route":\({"destination":"[^"]*","nextHop":"[^"]*"\).*/\1}/p')
case $request in
  *'"action":"list"'*) printf '{"routes":[%s]}' "$(paste -sd, table)"; exit ;;
esac
if [ -e refuse ]; then echo 'quota exceeded' >&2; exit 1; fi
case $request in
  *'"action":"create"'*) echo "$route" >>table; echo "create $route" >>calls ;;
  *) grep -vxF "$route" table >rest; mv rest table; echo "delete $route" >>calls ;;
esac
)sh";

std::string with_routes() {
  std::string yaml = k_cluster_yaml;
  return yaml.replace(yaml.find("network: {"), 10, "network: {backend: routes, ");
}

struct HookedCluster {
  HookedCluster() {
    put_file(cluster.dir / "hook", k_hook);
    REQUIRE(::chmod((cluster.dir / "hook").c_str(), 0755) == 0);
    put_file(cluster.dir / "table", "");
    cluster.routes_hook = {{cluster.dir / "hook"}, "30s", 1, k_long_period};
  }

  // One connection for all questions.
  Caller& admin() {
    if (asker == nullptr) asker = std::make_unique<Caller>(cluster.admin());
    return *asker;
  }

  std::string calls() const { return get_file(cluster.dir / "calls"); }

  proto::HealthCheck finding(const std::string& name) {
    const auto report = as<proto::HealthReport>(admin().get("/v1/health"));
    const auto found = std::find_if(report.checks.begin(), report.checks.end(), [&name](const auto& check) { return check.name == name; });
    return found == report.checks.end() ? proto::HealthCheck{} : *found;
  }

  // The coordinator works by itself: asks it until it is so, or half a minute has passed.
  template <class Done>
  bool comes_to(const Done& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < end) admin().get("/livez");
    return done();
  }

  ClusterFixture cluster{with_routes()};
  std::unique_ptr<Caller> asker;
};

std::string route_of(const SimulatedAgent& agent) { return R"({"destination":")" + agent.reply.pod_cidr + R"(","nextHop":")" + agent.address + "\"}"; }

}  // namespace

TEST_CASE("joins and removals lead to routes outside", "[route-hook][cluster]") {
  HookedCluster hooked;
  hooked.cluster.start();
  REQUIRE(hooked.comes_to([&hooked] { return hooked.finding("routes outside").message == "0 routes lead to their nodes"; }));
  const SimulatedAgent agent = joined(hooked.cluster, "node-1", 11);
  const std::string created = "create " + route_of(agent) + "\n";
  hooked.comes_to([&] { return hooked.calls() == created; });
  CHECK(hooked.calls() == created);
  REQUIRE(hooked.comes_to([&hooked] { return hooked.finding("routes outside").message == "1 routes lead to their nodes"; }));
  CHECK(hooked.finding("routes outside").ok);
  REQUIRE(hooked.admin().remove("/v1/nodes/node-1").status == 204);
  const std::string deleted = created + "delete " + route_of(agent) + "\n";
  hooked.comes_to([&] { return hooked.calls() == deleted; });
  CHECK(hooked.calls() == deleted);
  CHECK(get_file(hooked.cluster.dir / "table").empty());
}

TEST_CASE("a routes hook that fails is a finding of the node's, until it does not", "[route-hook][cluster]") {
  HookedCluster hooked;
  put_file(hooked.cluster.dir / "refuse", "");
  hooked.cluster.start();
  joined(hooked.cluster, "node-1", 11);
  REQUIRE(hooked.comes_to([&hooked] { return !hooked.finding("node node-1: route outside").message.empty(); }));
  const proto::HealthCheck finding = hooked.finding("node node-1: route outside");
  CHECK_FALSE(finding.ok);
  CHECK(finding.message.find("quota exceeded") != std::string::npos);
  CHECK(finding.cure.find("routesHook") != std::string::npos);
  CHECK(hooked.calls().empty());
  std::filesystem::remove(hooked.cluster.dir / "refuse");
  CHECK(hooked.comes_to([&hooked] { return hooked.finding("routes outside").ok; }));
}

TEST_CASE("a cluster of backend routes without a hook says so", "[route-hook][cluster]") {
  ClusterFixture cluster(with_routes());
  cluster.start();
  const auto report = as<proto::HealthReport>(cluster.admin().get("/v1/health"));
  const auto found = std::find_if(report.checks.begin(), report.checks.end(), [](const auto& check) { return check.name == "routes outside"; });
  REQUIRE(found != report.checks.end());
  CHECK_FALSE(found->ok);
  CHECK(found->message.find("names no routesHook") != std::string::npos);
}

}  // namespace slipway::test
