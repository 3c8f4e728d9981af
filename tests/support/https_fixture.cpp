#include "tests/support/https_fixture.hpp"

#include <boost/asio/any_io_executor.hpp>

#include "common/async/runtime.hpp"
#include "common/core/secret.hpp"
#include "common/http/tls.hpp"

namespace slipway::test {

std::shared_ptr<http::TlsServerContext> TestPki::server_tls(const TestCert& identity) const {
  return must(http::TlsServerContext::make(identity.certificate_pem + root.certificate_pem,
                                           Secret(identity.key_pem), root.certificate_pem));
}

std::shared_ptr<http::TlsClientContext> TestPki::client_tls(const TestCert* identity) const {
  if (identity == nullptr) return must(http::TlsClientContext::make(root.certificate_pem, nullptr));
  http::ClientIdentity own{identity->certificate_pem, Secret(identity->key_pem)};
  return must(http::TlsClientContext::make(root.certificate_pem, &own));
}

HttpsFixture::HttpsFixture(http::Handler handler, http::ServerLimits limits, int threads) {
  std::vector<boost::asio::any_io_executor> executors;
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(std::make_unique<EventThread>("io"));
    executors.push_back(threads_.back()->executor());
  }
  server = std::make_unique<http::Server>(executors, pki.server_tls(), limits, std::move(handler));
  port = must(server->listen("127.0.0.1:0"));
  for (auto& thread : threads_) thread->start();
}

HttpsFixture::~HttpsFixture() {
  server.reset();
  for (auto& thread : threads_) thread->stop();
  for (auto& thread : threads_) thread->join();
}

http::Client HttpsFixture::client(std::shared_ptr<http::TlsClientContext> tls, const std::string& host) {
  return http::Client(io.executor(), http::Endpoint{host, port}, std::move(tls));
}

http::Request request(http::Method method, std::string target, std::string body) {
  http::Request out;
  out.method = method;
  out.target = std::move(target);
  out.body = std::move(body);
  return out;
}

}  // namespace slipway::test
