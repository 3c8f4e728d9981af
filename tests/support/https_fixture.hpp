#pragma once
// A server of ours on its own thread, with certificates made for the test, and clients for it.
#include <catch2/catch.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/core/result.hpp"
#include "common/http/client.hpp"
#include "common/http/server.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/pki.hpp"

namespace slipway {
class EventThread;
}

namespace slipway::test {

template <class T>
T must(Result<T> result) {
  if (!result) FAIL("unexpected error: " << result.error().message);
  return std::move(*result);
}

// Certificates of one cluster.
struct TestPki {
  TestCert root = make_root("fabric CA");
  TestCert server = issue_server(root);
  TestCert client = issue_client(root, "node-1");

  std::shared_ptr<http::TlsServerContext> server_tls() const { return server_tls(server); }
  std::shared_ptr<http::TlsServerContext> server_tls(const TestCert& identity) const;
  std::shared_ptr<http::TlsClientContext> client_tls() const { return client_tls(&client); }
  std::shared_ptr<http::TlsClientContext> client_tls(const TestCert* identity) const;
};

class HttpsFixture {
 public:
  explicit HttpsFixture(http::Handler handler, http::ServerLimits limits = {}, int threads = 1);
  ~HttpsFixture();
  HttpsFixture(const HttpsFixture&) = delete;
  HttpsFixture& operator=(const HttpsFixture&) = delete;

  http::Client client(std::shared_ptr<http::TlsClientContext> tls, const std::string& host = "127.0.0.1");
  http::Client client() { return client(pki.client_tls()); }

  TestPki pki;
  IoTest io;
  std::unique_ptr<http::Server> server;
  std::uint16_t port = 0;

 private:
  std::vector<std::unique_ptr<EventThread>> threads_;
};

http::Request request(http::Method method, std::string target, std::string body = {});

}  // namespace slipway::test
