// Who may talk to whom: certificates against each other over real sockets, and nothing said to the wrong end.
#include <catch2/catch.hpp>

#include "tests/support/https_fixture.hpp"
#include "tests/support/raw_tls.hpp"

using namespace slipway;
using namespace slipway::test;
namespace asio = boost::asio;

namespace {

http::Admission admit_all(const http::Request&) {
  return {};
}

asio::awaitable<http::Response> tell_peer(http::Request request) {
  http::Response response;
  response.body = request.peer.certificate_der();
  co_return response;
}

http::Handler peer_teller() {
  return {admit_all, tell_peer};
}

Result<http::Response> ask(HttpsFixture& fixture, std::shared_ptr<http::TlsClientContext> tls,
                           const std::string& host = "127.0.0.1") {
  http::Client client = fixture.client(std::move(tls), host);
  return fixture.io.run(client.send(request(http::Method::get, "/"), std::chrono::seconds(10)));
}

// The error of a first contact with a server that must not be trusted; asserts that no byte of the request
// got through.
Error refused_by_client(std::shared_ptr<http::TlsClientContext> tls, const std::string& chain_pem,
                        const std::string& key_pem, TlsVersions versions = TlsVersions::tls13) {
  RawTlsServer rogue(chain_pem, key_pem, versions);
  IoTest io;
  http::Client client(io.executor(), http::Endpoint{"127.0.0.1", rogue.port()}, std::move(tls));
  const Result<http::Response> response =
      io.run(client.send(request(http::Method::post, "/v1/join", "the secret"), std::chrono::seconds(10)));
  client.close();
  rogue.stop();
  CHECK(rogue.connections() == 1);
  CHECK(rogue.application_bytes() == 0);
  REQUIRE_FALSE(response);
  CHECK(response.error().code == Errc::unauthenticated);
  CHECK(response.error().message.find("TLS handshake with 127.0.0.1:") == 0);
  return response.error();
}

bool says(const Error& error, std::string_view text) {
  CAPTURE(error.message, text);
  const bool found = error.message.find(text) != std::string::npos;
  CHECK(found);
  return found;
}

CertOptions server_options() {
  CertOptions options;
  options.common_name = "coordinator";
  options.ips = {"127.0.0.1"};
  options.extended_key_usage = "serverAuth";
  return options;
}

CertOptions client_options() {
  CertOptions options;
  options.common_name = "node-1";
  options.extended_key_usage = "clientAuth";
  return options;
}

// Asks with a client certificate that the server must refuse; the error as the client tells it.
Error refused_by_server(const CertOptions& options, const TestCert* issuer = nullptr) {
  HttpsFixture fixture(peer_teller());
  const TestCert identity = issue(issuer != nullptr ? *issuer : fixture.pki.root, options);
  const Result<http::Response> response = ask(fixture, fixture.pki.client_tls(&identity));
  REQUIRE_FALSE(response);
  CHECK(response.error().code == Errc::unauthenticated);
  return response.error();
}

}  // namespace

TEST_CASE("a verified client is known to the handler by its certificate") {
  HttpsFixture fixture(peer_teller());
  const Result<http::Response> response = ask(fixture, fixture.pki.client_tls());
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == der_of(fixture.pki.client.certificate_pem));
}

TEST_CASE("a client without a certificate gets in unknown") {
  HttpsFixture fixture(peer_teller());
  const Result<http::Response> response = ask(fixture, fixture.pki.client_tls(nullptr));
  REQUIRE(response);
  CHECK(response->body.empty());
}

TEST_CASE("names as well as addresses are checked") {
  HttpsFixture fixture(peer_teller());
  CHECK(ask(fixture, fixture.pki.client_tls(), "localhost"));
}

TEST_CASE("the server refuses bad client certificates and the client says why") {
  SECTION("expired") {
    CertOptions options = client_options();
    options.not_before = -7200;
    options.not_after = -3600;
    says(refused_by_server(options), "our certificate has expired");
  }
  SECTION("not yet valid") {
    CertOptions options = client_options();
    options.not_before = 3600;
    options.not_after = 7200;
    refused_by_server(options);
  }
  SECTION("unknown CA") {
    const TestCert other = make_root("another CA");
    says(refused_by_server(client_options(), &other), "does not trust the CA of our certificate");
  }
  SECTION("server certificate") {
    CertOptions options = client_options();
    options.extended_key_usage = "serverAuth";
    says(refused_by_server(options), "our certificate is not meant for this use");
  }
  SECTION("no extended key usage") {
    CertOptions options = client_options();
    options.extended_key_usage = "";
    says(refused_by_server(options), "our certificate is not meant for this use");
  }
}

TEST_CASE("an issuer that is no CA vouches for nobody") {
  HttpsFixture fixture(peer_teller());
  const TestCert forged = issue(fixture.pki.client, client_options());
  const TestCert chain{forged.certificate_pem + fixture.pki.client.certificate_pem, forged.key_pem};
  CHECK_FALSE(ask(fixture, fixture.pki.client_tls(&chain)));
}

TEST_CASE("nothing is said to a server that cannot prove itself") {
  const TestPki pki;
  SECTION("unknown CA") {
    const TestCert other = make_root("another CA");
    const TestCert rogue = issue_server(other);
    const Error error =
        refused_by_client(pki.client_tls(), rogue.certificate_pem + other.certificate_pem, rogue.key_pem);
    says(error, "another CA, not from a trusted CA");
  }
  SECTION("self-signed") {
    const TestCert rogue = make_root("nobody");
    refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
  }
  SECTION("expired") {
    CertOptions options = server_options();
    options.not_before = -7200;
    options.not_after = -3600;
    const TestCert rogue = issue(pki.root, options);
    const Error error = refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
    says(error, "the certificate of coordinator expired at 20");
    says(error, "the local clock says 20");
  }
  SECTION("not yet valid") {
    CertOptions options = server_options();
    options.not_before = 3600;
    options.not_after = 7200;
    const TestCert rogue = issue(pki.root, options);
    const Error error = refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
    says(error, "is valid only from 20");
    says(error, "the local clock says 20");
  }
  SECTION("another name") {
    CertOptions options = server_options();
    options.ips = {"10.1.2.3"};
    options.dns = {"master.example"};
    const TestCert rogue = issue(pki.root, options);
    const Error error = refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
    says(error, "the certificate is for master.example, 10.1.2.3; not for 127.0.0.1");
  }
  SECTION("the name only in the subject") {
    CertOptions options = server_options();
    options.common_name = "127.0.0.1";
    options.ips = {};
    const TestCert rogue = issue(pki.root, options);
    refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
  }
  SECTION("client certificate") {
    CertOptions options = server_options();
    options.extended_key_usage = "clientAuth";
    const TestCert rogue = issue(pki.root, options);
    const Error error = refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
    says(error, "is not meant for this use");
  }
  SECTION("no extended key usage") {
    CertOptions options = server_options();
    options.extended_key_usage = "";
    const TestCert rogue = issue(pki.root, options);
    refused_by_client(pki.client_tls(), rogue.certificate_pem, rogue.key_pem);
  }
  SECTION("TLS 1.2") {
    const Error error = refused_by_client(pki.client_tls(), pki.server.certificate_pem, pki.server.key_pem,
                                          TlsVersions::only_tls12);
    says(error, "TLS 1.3 only");
  }
}

TEST_CASE("first contact by pin") {
  HttpsFixture fixture(peer_teller());
  const auto pinned =
      must(http::TlsClientContext::make_pinned(sha256_hex_of(fixture.pki.root.certificate_pem)));
  const Result<http::Response> response = ask(fixture, pinned);
  REQUIRE(response);
  CHECK(response->status == 200);
}

TEST_CASE("first contact refuses what the pin does not cover") {
  const TestPki pki;
  const auto pinned = must(http::TlsClientContext::make_pinned(sha256_hex_of(pki.root.certificate_pem)));
  const TestCert other = make_root("fabric CA");  // the same name, another key
  const TestCert rogue = issue_server(other);
  SECTION("another CA") {
    says(refused_by_client(pinned, rogue.certificate_pem + other.certificate_pem, rogue.key_pem),
         "wrong pin");
  }
  SECTION("the right CA shown behind a certificate of another") {
    says(refused_by_client(pinned, rogue.certificate_pem + pki.root.certificate_pem, rogue.key_pem),
         "trusted CA");
  }
  SECTION("the CA is not shown") {
    says(refused_by_client(pinned, pki.server.certificate_pem, pki.server.key_pem), "wrong pin");
  }
  SECTION("another name") {
    CertOptions options = server_options();
    options.ips = {"10.1.2.3"};
    const TestCert misnamed = issue(pki.root, options);
    says(refused_by_client(pinned, misnamed.certificate_pem + pki.root.certificate_pem, misnamed.key_pem),
         "not for 127.0.0.1");
  }
  SECTION("a node's certificate") {
    CertOptions options = server_options();
    options.extended_key_usage = "clientAuth";
    const TestCert node = issue(pki.root, options);
    says(refused_by_client(pinned, node.certificate_pem + pki.root.certificate_pem, node.key_pem),
         "not meant for this use");
  }
  SECTION("the pinned certificate is itself the server") {
    const auto self = must(http::TlsClientContext::make_pinned(sha256_hex_of(pki.server.certificate_pem)));
    says(refused_by_client(self, pki.server.certificate_pem, pki.server.key_pem), "wrong pin");
  }
}

TEST_CASE("an intermediate may be the anchor") {
  const TestCert root = make_root("company root");
  CertOptions ca;
  ca.common_name = "fabric CA";
  ca.is_ca = true;
  const TestCert fabric = issue(root, ca);
  TestPki pki;
  pki.root = fabric;
  pki.server = issue_server(fabric);
  RawTlsServer server(pki.server.certificate_pem + fabric.certificate_pem, pki.server.key_pem);
  server.answer_with("HTTP/1.1 204 No Content\r\n\r\n");
  IoTest io;
  http::Client client(io.executor(), http::Endpoint{"127.0.0.1", server.port()}, pki.client_tls(nullptr));
  CHECK(io.run(client.send(request(http::Method::get, "/"), std::chrono::seconds(10))));
  const auto pinned = must(http::TlsClientContext::make_pinned(sha256_hex_of(fabric.certificate_pem)));
  http::Client first(io.executor(), http::Endpoint{"127.0.0.1", server.port()}, pinned);
  CHECK(io.run(first.send(request(http::Method::get, "/"), std::chrono::seconds(10))));
}

TEST_CASE("the server speaks TLS 1.3 only and gives no tickets") {
  HttpsFixture fixture(peer_teller());
  RawTlsClient old(fixture.port, nullptr, TlsVersions::only_tls12);
  CHECK_FALSE(old.handshake());
  RawTlsClient client(fixture.port, &fixture.pki.client);
  REQUIRE(client.handshake());
  REQUIRE(client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(client.read_all().find("HTTP/1.1 200 OK") == 0);
  CHECK(client.session_tickets() == 0);
}

TEST_CASE("contexts refuse what cannot work") {
  const TestPki pki;
  const Secret key(pki.server.key_pem);
  const Secret other(pki.client.key_pem);
  CHECK(http::TlsServerContext::make(pki.server.certificate_pem, other, pki.root.certificate_pem)
            .error()
            .message.find("does not belong") != std::string::npos);
  CHECK_FALSE(http::TlsServerContext::make("nonsense", key, pki.root.certificate_pem));
  CHECK_FALSE(
      http::TlsServerContext::make(pki.server.certificate_pem, Secret("nonsense"), pki.root.certificate_pem));
  CHECK_FALSE(http::TlsClientContext::make(pki.server.certificate_pem, nullptr));  // no CA
  CHECK_FALSE(http::TlsClientContext::make("", nullptr));
  CHECK_FALSE(http::TlsClientContext::make_pinned("abcd"));
}

TEST_CASE("new connections see a new server certificate, old ones live on") {
  HttpsFixture fixture(peer_teller());
  http::Client old = fixture.client();
  REQUIRE(fixture.io.run(old.send(request(http::Method::get, "/"), std::chrono::seconds(10))));
  CertOptions options = server_options();
  options.ips = {"10.1.2.3"};
  fixture.server->replace_tls(fixture.pki.server_tls(issue(fixture.pki.root, options)));
  CHECK(fixture.io.run(old.send(request(http::Method::get, "/"), std::chrono::seconds(10))));
  const Result<http::Response> fresh = ask(fixture, fixture.pki.client_tls());
  REQUIRE_FALSE(fresh);
  says(fresh.error(), "the certificate is for 10.1.2.3; not for 127.0.0.1");
}

TEST_CASE("the version of the API is agreed on in the handshake") {
  HttpsFixture fixture(peer_teller());
  SECTION("who speaks ours") {
    const TestCert identity = fixture.pki.client;
    const auto tls = http::TlsClientContext::make(fixture.pki.root.certificate_pem,
                                                  nullptr, http::TlsPeer::coordinator);
    REQUIRE(tls);
    REQUIRE(ask(fixture, *tls));
    RawTlsClient client(fixture.port, &identity);
    client.offer({"slipway/2", "slipway/1", "http/1.1"});
    REQUIRE(client.handshake());
    CHECK(client.protocol() == "slipway/1");
  }
  SECTION("an operator's browser or curl") {
    RawTlsClient client(fixture.port);
    client.offer({"h2", "http/1.1"});
    REQUIRE(client.handshake());
    CHECK(client.protocol() == "http/1.1");
  }
  SECTION("who names nothing") {
    RawTlsClient client(fixture.port);
    REQUIRE(client.handshake());
    CHECK(client.protocol().empty());
  }
  SECTION("who speaks only what is not ours is refused before anything is read") {
    RawTlsClient client(fixture.port);
    client.offer({"slipway/2", "h2"});
    CHECK_FALSE(client.handshake());
  }
}

TEST_CASE("a server with the right certificate and another protocol gets no byte") {
  const TestPki pki;
  RawTlsServer server(pki.server.certificate_pem + pki.root.certificate_pem, pki.server.key_pem);
  server.name_no_protocol();
  IoTest io;
  const auto tls = http::TlsClientContext::make(pki.root.certificate_pem, nullptr, http::TlsPeer::coordinator);
  REQUIRE(tls);
  http::Client client(io.executor(), http::Endpoint{"127.0.0.1", server.port()}, *tls);
  const Result<http::Response> response =
      io.run(client.send(request(http::Method::post, "/v1/join", "the secret"), std::chrono::seconds(10)));
  client.close();
  server.stop();
  REQUIRE_FALSE(response);
  says(response.error(), "does not speak slipway/1");
  CHECK(server.application_bytes() == 0);
}
