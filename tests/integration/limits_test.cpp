// Every route that takes a body, with a body that is too large and with one that never comes to its end.
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

using namespace std::chrono_literals;

// Somebody who may ask for this route.
TestCert caller_of(ClusterFixture& cluster, const SimulatedAgent& agent, const proto::Route& route) {
  if (route.role == proto::Role::agent || route.role == proto::Role::artifact) {
    const auto key = agent.keys.find("agent")->second.to_pem();
    return {agent.certificates.at("agent"), std::string(key->reveal())};
  }
  return {cluster.admin_cluster.client_certificate, cluster.admin_cluster.client_key};
}

std::string head_of(const proto::Route& route, std::uint64_t length) {
  std::string path(route.path);
  for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
    path.replace(open, path.find('}') - open + 1, "nobody");
  }
  return std::string(route.method) + " " + path + " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

int status_of(const std::string& answer) {
  constexpr std::string_view start = "HTTP/1.1 ";
  if (!answer.starts_with(start)) return 0;
  return std::stoi(answer.substr(start.size(), 3));
}

// All that comes back on a connection of its own.
std::string ask(ClusterFixture& cluster, const TestCert& caller, const std::string& bytes) {
  RawTlsClient client(cluster.app->port(), &caller);
  REQUIRE(client.handshake());
  REQUIRE(client.write(bytes));
  return client.read_all();
}

}  // namespace

TEST_CASE("no route takes a body that is too large or that never ends", "[limits]") {
  ClusterFixture cluster;
  cluster.http_limits.body = 50ms;
  cluster.http_limits.spool_idle = 50ms;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  std::size_t routes_with_body = 0;
  for (const proto::Route& route : proto::routes()) {
    if (route.body_limit == 0) continue;
    ++routes_with_body;
    INFO(route.method << " " << route.path);
    const TestCert caller = caller_of(cluster, agent, route);
    const std::string large = ask(cluster, caller, head_of(route, route.body_limit + 1));
    CHECK(status_of(large) == 413);
    CHECK(large.find("application/problem+json") != std::string::npos);
    const std::string slow = ask(cluster, caller, head_of(route, 100) + "{\"");
    CHECK(status_of(slow) == 408);
    CHECK(slow.find("application/problem+json") != std::string::npos);
    const auto& declared = openapi().at("paths").at(std::string(route.path)).at(lower(route.method)).at("responses");
    CHECK(declared.contains("413"));
    CHECK(declared.contains("408"));
  }
  CHECK(routes_with_body >= 10);
}

TEST_CASE("a route without a body refuses one", "[limits]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  for (const proto::Route& route : proto::routes()) {
    if (route.body_limit > 0) continue;
    INFO(route.method << " " << route.path);
    CHECK(status_of(ask(cluster, caller_of(cluster, agent, route), head_of(route, 1) + "x")) == 413);
  }
}

}  // namespace slipway::test
