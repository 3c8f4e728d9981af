// Pools over the real API: every answer is held against the statuses of openapi.json by the fixture.
#include <algorithm>

#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

std::string pool_body(const std::string& name, const std::string& range, std::uint64_t length = 0) {
  return proto::encode(proto::PoolSettings{name, {range}, length, "", "", false});
}

proto::JoinReply join(ClusterFixture& cluster, const std::string& name, int host) {
  SimulatedAgent agent(name, host);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(cluster.new_token())));
  return agent.reply;
}

TEST_CASE("pools live through the API and a restart", "[pools]") {
  ClusterFixture cluster;
  cluster.start();
  CHECK(join(cluster, "a", 11).pod_cidr == "10.10.0.0/24");
  {
    Caller admin = cluster.admin();
    REQUIRE(admin.post("/v1/pools", pool_body("six", "fd00:10::/48")).status == 201);
    REQUIRE(admin.post("/v1/pools/default/grow", R"({"ranges": ["10.10.0.0/15", "10.40.0.0/24"]})").status == 200);
    REQUIRE(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.1.0/24", "note": "firewall"})").status == 201);
    REQUIRE(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.9.0/24", "node": "c"})").status == 201);
  }
  CHECK(join(cluster, "b", 12).pod_cidr == "10.10.8.0/24");
  CHECK(join(cluster, "c", 13).pod_cidr == "10.10.9.0/24");
  cluster.stop();
  cluster.start();
  Caller admin = cluster.admin();
  const auto list = as<proto::PoolList>(admin.get("/v1/pools"));
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[0].ranges == std::vector<std::string>{"10.10.0.0/15", "10.40.0.0/24"});
  const auto pool = as<proto::PoolView>(admin.get("/v1/pools/default"));
  CHECK(pool.capacity == 513);
  CHECK(pool.allocated == 3);
  CHECK(pool.reserved == 1);
  CHECK(pool.available == 509);
  REQUIRE(pool.reservations.size() == 2);
  CHECK(pool.reservations[1].in_use);
  CHECK(as<proto::PoolTenantList>(admin.get("/v1/pools/default/nodes")).items.size() == 3);
  CHECK(as<proto::NodeView>(admin.get("/v1/nodes/b")).pod_cidrs == std::vector<std::string>{"10.10.8.0/24", "fd00:10::/64"});
  CHECK(as<proto::ClusterView>(admin.get("/v1/cluster")).spec.network.pod_cidr == "10.10.0.0/15");
  CHECK(admin.remove("/v1/pools/default/reservations/10.10.1.0-24").status == 204);
  CHECK(join(cluster, "d", 14).pod_cidr == "10.10.1.0/24");
  CHECK(admin.get("/metrics").body.find("slipway_cidr_pool_allocated_cidrs{pool=\"six\"} 3\n") != std::string::npos);
  const auto health = as<proto::HealthReport>(admin.get("/v1/health"));
  CHECK(std::any_of(health.checks.begin(), health.checks.end(), [](const auto& check) { return check.name == "pool six" && check.ok; }));
}

TEST_CASE("agents are told of all pod ranges", "[pools]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent("a", 11);
  Caller anonymous = cluster.anonymous();
  agent.accept(anonymous.send(agent.join_message(cluster.new_token())));
  Caller admin = cluster.admin();
  REQUIRE(admin.post("/v1/pools", pool_body("blue", "10.20.0.0/16")).status == 201);
  Caller caller = agent.caller(cluster);
  const auto desired = as<proto::DesiredState>(caller.get("/v1/agent/sync"));
  CHECK(desired.pod_ranges == std::vector<std::string>{"10.10.0.0/16", "10.20.0.0/16"});
  // What it reports of its host is in the way of new pools, with its name.
  proto::NodeStatusReport report;
  report.phase = "Running";
  report.facts.host_routes = {"172.20.0.0/16 dev docker0"};
  REQUIRE(caller.post("/v1/agent/status", proto::encode(report)).status == 204);
  const auto refused = admin.post("/v1/pools", pool_body("red", "172.16.0.0/12"));
  CHECK(refused.status == 409);
  CHECK(as<proto::Problem>(refused).detail.find("172.20.0.0/16 of docker0 of node a") != std::string::npos);
  // The settings are no way around that, tried or made.
  auto spec = as<proto::ClusterView>(admin.get("/v1/cluster")).spec;
  spec.network.pools = {{"red", {"172.16.0.0/12"}, 24, "", "", false}};
  CHECK(admin.post("/v1/cluster/plan", proto::encode(spec)).status == 409);
  CHECK(admin.put("/v1/cluster", proto::encode(spec)).status == 409);
  CHECK(admin.get("/metrics").body.find("slipway_cidr_rejected_overlaps_total 3\n") != std::string::npos);
  CHECK(admin.get("/metrics").body.find("slipway_cidr_allocation_duration_seconds_count 1\n") != std::string::npos);
  // A route that comes later, within our own addresses.
  report.facts.host_routes = {"10.10.0.0/17 dev docker0"};
  REQUIRE(caller.post("/v1/agent/status", proto::encode(report)).status == 204);
  const auto health = as<proto::HealthReport>(admin.get("/v1/health"));
  CHECK(std::any_of(health.checks.begin(), health.checks.end(), [](const auto& check) { return check.name == "node a: routes" && !check.ok; }));
  for (const char* name : {"coordinator", "store", "authority fabric", "coordinator's certificate coordinatorServing"}) {
    INFO(name);
    CHECK(std::any_of(health.checks.begin(), health.checks.end(), [&](const auto& check) { return check.name == name && check.ok; }));
  }
}

TEST_CASE("a drained pool gives nothing and can be deleted when it is empty", "[pools]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  REQUIRE(admin.post("/v1/pools", pool_body("blue", "10.20.0.0/16")).status == 201);
  CHECK(admin.post("/v1/pools", pool_body("blue", "10.30.0.0/16")).status == 409);
  CHECK(as<proto::PoolView>(admin.post("/v1/pools/default/drain", "{}")).draining);
  CHECK(join(cluster, "a", 11).pod_cidr == "10.20.0.0/24");
  CHECK_FALSE(as<proto::PoolView>(admin.post("/v1/pools/default/drain", R"({"draining": false})")).draining);
  CHECK(admin.remove("/v1/pools/blue").status == 409);
  CHECK(admin.remove("/v1/pools/default").status == 409);
  REQUIRE(admin.post("/v1/pools", pool_body("red", "10.30.0.0/16")).status == 201);
  CHECK(admin.remove("/v1/pools/red").status == 204);
  CHECK(admin.get("/v1/pools/red").status == 404);
}

TEST_CASE("malformed requests for pools are told what is wrong", "[pools]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const std::pair<const char*, const char*> bodies[] = {{R"({"name": "x", "ranges": ["10.20.0.1/16"]})", "/ranges/0: "},
                                                        {R"({"name": "X", "ranges": ["10.20.0.0/16"]})", "/name: "},
                                                        {R"({"name": "x", "ranges": []})", "/ranges: "},
                                                        {R"({"name": "x", "ranges": ["10.20.0.0/16"], "nodePrefixLength": 99})", "/nodePrefixLength: "},
                                                        {R"({"name": "x", "ranges": ["10.20.0.0/16"], "nodePrefixLength": 18446744073709551615})", "/nodePrefixLength: "},
                                                        {R"({"name": "default", "ranges": ["10.20.0.0/16"]})", "/name: "},
                                                        {R"({"ranges": ["10.20.0.0/16"]})", "/name"},
                                                        {"[]", "must be a map"}};
  for (const auto& [body, field] : bodies) {
    INFO(body);
    const auto response = admin.post("/v1/pools", body);
    CHECK(response.status == 400);
    CHECK(as<proto::Problem>(response).detail.find(field) != std::string::npos);
  }
  CHECK(admin.post("/v1/pools/default/grow", "{}").status == 400);
  CHECK(admin.post("/v1/pools/default/grow", R"({"ranges": ["10.20.0.0"]})").status == 400);
  CHECK(admin.post("/v1/pools/nope/grow", R"({"ranges": ["10.20.0.0/16"]})").status == 404);
  CHECK(admin.post("/v1/pools/default/grow", R"({"ranges": ["10.0.0.0/17"]})").status == 409);
  CHECK(admin.post("/v1/pools/nope/drain", "{}").status == 404);
  CHECK(admin.post("/v1/pools/nope/reservations", R"({"block": "10.10.3.0/24"})").status == 404);
  CHECK(admin.post("/v1/pools/default/reservations", R"({"block": "10.99.3.0/24"})").status == 400);
  CHECK(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.3.0/24", "node": "a b"})").status == 400);
  REQUIRE(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.3.0/24"})").status == 201);
  CHECK(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.3.0/25"})").status == 409);
  CHECK(admin.remove("/v1/pools/default/reservations/10.10.3.0").status == 400);
  CHECK(admin.remove("/v1/pools/default/reservations/10.10.4.0-24").status == 404);
  CHECK(admin.remove("/v1/pools/nope/reservations/10.10.3.0-24").status == 404);
  Caller anonymous = cluster.anonymous();
  CHECK(anonymous.get("/v1/pools").status == 401);
  CHECK(anonymous.post("/v1/pools", "{}").status == 401);
}

}  // namespace
}  // namespace slipway::test
