// What preflight asks of others: whether the coordinator and the API server are reached, whether they are our cluster's, and what time it is
// there. Servers on loopback with certificates of the test's own; only findings about them are looked at.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/domain/clock_skew.hpp"
#include "agent/preflight_command.hpp"
#include "agent/store/file_node_store.hpp"
#include "proto/codec.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/pki.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

constexpr char k_date[] = "Sun, 22 Nov 2026 12:00:00 GMT";

std::string url_of(std::uint16_t port) { return "https://127.0.0.1:" + std::to_string(port); }

std::uint16_t closed_port() {
  const TestCert root = make_root("nobody");
  return RawTlsServer(root.certificate_pem, root.key_pem).port();
}

// A coordinator that says what time it is.
struct Server {
  explicit Server(const TestCert& root) : identity(issue_server(root)), tls(identity.certificate_pem + root.certificate_pem, identity.key_pem) {
    tls.answer_with(std::string("HTTP/1.1 200 OK\r\nDate: ") + k_date + "\r\nContent-Length: 2\r\n\r\nok");
  }
  TestCert identity;
  RawTlsServer tls;
};

// A host that has not joined, or has.
struct Host {
  Host() {
    options.data_dir = dir / "agent";
    options.node_name = "node-1";
    options.node_ip = "127.0.0.1";
  }
  void give_token(const TestCert& root) {
    options.token_file = dir / "join.token";
    put_file(options.token_file, "slipway1" + sha256_hex_of(root.certificate_pem) + "::abc123.abcdefghijklmnopqrstuvwxyz234567\n");
    std::filesystem::permissions(options.token_file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  void join(const TestCert& fabric, const TestCert& apiserver, const std::string& api_server, const std::string& backend = "host-gw") {
    auto store = FileNodeStore::open(options.data_dir);
    REQUIRE(store);
    REQUIRE((*store)->save_identity({"c", "id", "node-1", "uid", 1, "node", "127.0.0.1", "10.10.1.0/24"}));
    REQUIRE((*store)->save_ca_bundle("fabric", fabric.certificate_pem));
    REQUIRE((*store)->save_ca_bundle("apiserver", apiserver.certificate_pem));
    proto::DesiredState desired;
    desired.epoch = "e";
    desired.revision = 1;
    desired.cluster.api_server.endpoint = api_server;
    desired.cluster.network.pod_cidr = "10.10.0.0/16";
    desired.cluster.network.service_cidr = "10.96.0.0/16";
    desired.cluster.network.backend = backend;
    desired.pod_ranges = {"10.10.0.0/16"};
    REQUIRE((*store)->save_desired({"e", 1, proto::encode(desired)}));
  }
  // The findings of one check, in words.
  std::string look(const std::string& check) const {
    const auto findings = run_preflight(options, clock);
    REQUIRE(findings);
    std::string text;
    for (const Finding& finding : *findings) {
      if (finding.check == check) text += std::string(to_string(finding.severity)) + ": " + finding.message + " -> " + finding.cure + "\n";
    }
    return text;
  }
  TempDir dir;
  PreflightOptions options;
  ManualClock clock{*parse_http_date(k_date)};
};

bool says(const std::string& text, const std::string& part) {
  CAPTURE(text, part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("a coordinator that the token is for is reached before the join", "[agent][preflight]") {
  const TestCert root = make_root("fabric CA");
  Server server(root);
  Host host;
  host.options.servers = {url_of(server.tls.port())};
  host.give_token(root);
  CHECK(says(host.look("reach"), "ok: the coordinator answers"));
  server.tls.stop();
  CHECK(server.tls.connections() == 1);
}

TEST_CASE("a coordinator where nobody listens is named", "[agent][preflight]") {
  const TestCert root = make_root("fabric CA");
  Server server(root);
  const std::string closed = url_of(closed_port());
  Host host;
  host.options.servers = {closed, url_of(server.tls.port())};
  SECTION("with a token") { host.give_token(root); }
  SECTION("without one only the connection is tried") {}
  const std::string text = host.look("reach");
  CHECK(says(text, "error: " + closed + ": "));
  CHECK(says(text, "-> open the way there"));
  CHECK(text.find(host.options.servers[1]) == std::string::npos);
}

TEST_CASE("a stranger in the coordinator's place is named and gets no byte", "[agent][preflight]") {
  const TestCert ours = make_root("fabric CA");
  Server rogue(make_root("fabric CA"));
  Host host;
  host.options.servers = {url_of(rogue.tls.port())};
  SECTION("by the token of a file") { host.give_token(ours); }
  SECTION("by a token that came by standard input") { host.options.ca_sha256 = sha256_hex_of(ours.certificate_pem); }
  SECTION("by the CA of a node") { host.join(ours, ours, url_of(rogue.tls.port())); }
  const std::string text = host.look("reach");
  CHECK(says(text, "error: " + host.options.servers[0] + ": TLS handshake with"));
  CHECK(says(text, "-> see that the address and the token are of the same cluster"));
  rogue.tls.stop();
  CHECK(rogue.tls.application_bytes() == 0);
}

TEST_CASE("a host whose clock differs from the coordinator's is told both times", "[agent][preflight]") {
  const TestCert root = make_root("fabric CA");
  Server server(root);
  Host host;
  host.options.servers = {url_of(server.tls.port())};
  SECTION("by the token of a file") { host.give_token(root); }
  SECTION("by a token that came by standard input") { host.options.ca_sha256 = sha256_hex_of(root.certificate_pem); }
  SECTION("by the CA of a node") { host.join(root, root, url_of(server.tls.port())); }
  CHECK(says(host.look("clock"), "ok: "));
  host.clock.set_wall(*parse_http_date(k_date) - Seconds(600));
  const std::string text = host.look("clock");
  CHECK(says(text, "error: 127.0.0.1: the clocks differ: this host says 2026-11-22T11:50:00Z, the coordinator 2026-11-22T12:00:00Z"));
  CHECK(says(text, "behind"));
}

TEST_CASE("a node asks the API server, too, and holds it against its own CA", "[agent][preflight]") {
  const TestCert fabric = make_root("fabric CA"), kube = make_root("apiserver CA");
  Server coordinator(fabric);
  Host host;
  host.options.servers = {url_of(coordinator.tls.port())};
  SECTION("that is well") {
    Server api_server(kube);
    host.join(fabric, kube, url_of(api_server.tls.port()));
    CHECK(says(host.look("reach"), "ok: "));
  }
  SECTION("where nobody listens") {
    const std::string closed = url_of(closed_port());
    host.join(fabric, kube, closed);
    const std::string text = host.look("reach");
    CHECK(says(text, "error: the API server " + closed + ": "));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  }
  SECTION("where somebody else answers") {
    Server rogue(fabric);
    host.join(fabric, kube, url_of(rogue.tls.port()));
    CHECK(says(host.look("reach"), "error: the API server " + url_of(rogue.tls.port()) + ": TLS handshake with"));
    rogue.tls.stop();
    CHECK(rogue.tls.application_bytes() == 0);
  }
}

}  // namespace slipway::test
