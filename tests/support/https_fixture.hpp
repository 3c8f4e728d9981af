#pragma once
// A server of ours on its own thread, with certificates made for the test, and clients for it.
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/async/runtime.hpp"
#include "common/http/client.hpp"
#include "common/http/server.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/pki.hpp"

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
  std::shared_ptr<http::TlsServerContext> server_tls(const TestCert& identity) const {
    return must(http::TlsServerContext::make(identity.certificate_pem + root.certificate_pem,
                                             Secret(identity.key_pem), root.certificate_pem));
  }
  std::shared_ptr<http::TlsClientContext> client_tls() const { return client_tls(&client); }
  std::shared_ptr<http::TlsClientContext> client_tls(const TestCert* identity) const {
    if (identity == nullptr) return must(http::TlsClientContext::make(root.certificate_pem, nullptr));
    http::ClientIdentity own{identity->certificate_pem, Secret(identity->key_pem)};
    return must(http::TlsClientContext::make(root.certificate_pem, &own));
  }
};

class HttpsFixture {
 public:
  explicit HttpsFixture(http::Handler handler, http::ServerLimits limits = {}, int threads = 1) {
    std::vector<boost::asio::any_io_executor> executors;
    for (int i = 0; i < threads; ++i) {
      threads_.push_back(std::make_unique<EventThread>("io"));
      executors.push_back(threads_.back()->executor());
    }
    server = std::make_unique<http::Server>(executors, pki.server_tls(), limits, std::move(handler));
    port = must(server->listen("127.0.0.1:0"));
    for (auto& thread : threads_) thread->start();
  }
  ~HttpsFixture() {
    server.reset();
    for (auto& thread : threads_) thread->stop();
    for (auto& thread : threads_) thread->join();
  }
  HttpsFixture(const HttpsFixture&) = delete;
  HttpsFixture& operator=(const HttpsFixture&) = delete;

  http::Client client(std::shared_ptr<http::TlsClientContext> tls, const std::string& host = "127.0.0.1") {
    return http::Client(io.executor(), http::Endpoint{host, port}, std::move(tls));
  }
  http::Client client() { return client(pki.client_tls()); }

  TestPki pki;
  IoTest io;
  std::unique_ptr<http::Server> server;
  std::uint16_t port = 0;

 private:
  std::vector<std::unique_ptr<EventThread>> threads_;
};

inline http::Request request(http::Method method, std::string target, std::string body = {}) {
  http::Request out;
  out.method = method;
  out.target = std::move(target);
  out.body = std::move(body);
  return out;
}

}  // namespace slipway::test
