// Every route that takes a body, with a body that is too large and with one that never comes to its end.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string_view>

#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "proto/routes.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/pki.hpp"
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

std::string path_of(const proto::Route& route) {
  std::string path(route.path);
  for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
    path.replace(open, path.find('}') - open + 1, "nobody");
  }
  return path;
}

std::string head_of(const proto::Route& route, std::uint64_t length) {
  return std::string(route.method) + " " + path_of(route) + " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

int status_of(const std::string& answer) {
  constexpr std::string_view start = "HTTP/1.1 ";
  if (!answer.starts_with(start)) return 0;
  return std::stoi(answer.substr(start.size(), 3));
}

void check_status(const proto::Route& route, const std::string& answer, int wanted) {
  CHECK(status_of(answer) == wanted);
  CHECK(answer.find("application/problem+json") != std::string::npos);
  check_declared(route.method, path_of(route), status_of(answer));
}

// All that comes back on a connection of its own.
std::string ask(ClusterFixture& cluster, const TestCert& caller, const std::string& bytes) {
  RawTlsClient client(cluster.app->port(), &caller);
  REQUIRE(client.handshake());
  REQUIRE(client.write(bytes));
  return client.read_all();
}

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_before_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit low{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, signal_before_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*signal_before_)(int);
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  text.replace(text.find(what), what.size(), by);
  return text;
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
    check_status(route, large, 413);
    const std::string slow = ask(cluster, caller, head_of(route, 100) + "{\"");
    check_status(route, slow, 408);
  }
  CHECK(routes_with_body >= 10);
}

TEST_CASE("a revoked admin cannot bring a large body onto the disk", "[limits][access]") {
  ClusterFixture cluster;
  cluster.http_limits.spool_idle = 50ms;
  cluster.start();
  const auto key = PrivateKey::generate_p256();
  const proto::OperatorRequest request{make_csr(*key).value(), "eve", "admin"};
  const auto eve = as<proto::OperatorReply>(cluster.admin().post("/v1/operators", proto::encode(request)));
  const TestCert caller{eve.certificate, std::string(key->to_pem()->reveal())};
  const std::string path = "/v1/blobs/" + std::string(64, 'a');
  const std::string head = "PUT " + path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4000000000\r\n\r\n";
  CHECK(status_of(ask(cluster, caller, head)) == 100);
  REQUIRE(cluster.admin().remove("/v1/operators/eve").status == 204);
  CHECK(status_of(ask(cluster, caller, head)) == 403);
  check_declared("PUT", path, 403);
  CHECK(std::filesystem::is_empty(cluster.dir / "data/spool"));
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

TEST_CASE("every route refuses a request that is no HTTP/1.1", "[limits]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  for (const proto::Route& route : proto::routes()) {
    INFO(route.method << " " << route.path);
    const std::string without_host = std::string(route.method) + " " + path_of(route) + " HTTP/1.1\r\n\r\n";
    check_status(route, ask(cluster, caller_of(cluster, agent, route), without_host), 400);
  }
}

TEST_CASE("an upload without room for it is refused as such", "[limits]") {
  ClusterFixture cluster;
  cluster.start();
  put_file(cluster.dir / "program", std::string(4'000'000, 'x'));
  // No file of this process can grow over 3 MB: the same error path as a full disk, for the upload alone.
  const FileSizeLimit limit(3'000'000);
  Caller admin = cluster.admin();
  const std::string path = "/v1/blobs/" + std::string(64, 'a');
  const auto reply = cluster.clients.run(admin.client.upload(request_of(http::Method::put, path), cluster.dir / "program", 10s));
  REQUIRE(reply);
  CHECK(reply->status == 507);
  check_declared("PUT", path, reply->status);
  CHECK(std::filesystem::is_empty(cluster.dir / "data/spool"));
}

TEST_CASE("a join without an address left is refused as such", "[limits]") {
  ClusterFixture cluster(replaced(k_cluster_yaml, "10.10.0.0/16", "10.10.0.0/24"));
  cluster.start();
  const SimulatedAgent first = joined(cluster, "n1", 11);
  const SimulatedAgent second("n2", 12);
  const auto refused = cluster.anonymous().send(second.join_message(cluster.new_token()));
  CHECK(refused.status == 507);
  CHECK(as<proto::Problem>(refused).code == "noBlock");
}

TEST_CASE("a token is deleted once", "[limits]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token();
  const std::string path = "/v1/tokens/" + token.substr(0, token.find('.'));
  CHECK(cluster.admin().remove(path).status == 204);
  CHECK(cluster.admin().remove(path).status == 404);
}

}  // namespace slipway::test
