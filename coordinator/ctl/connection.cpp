#include "coordinator/ctl/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>

#include "common/http/client.hpp"
#include "common/http/tls.hpp"

namespace slipway::ctl {

namespace {

using Reply = Result<http::Response>;
constexpr std::uint16_t k_default_port = 7443;
constexpr std::chrono::milliseconds k_deadline{30'000};
// Also the wait for the answer, while the coordinator hashes what it got.
constexpr std::chrono::milliseconds k_upload_idle{120'000};
// The coordinator says every 15 seconds that it is still there.
constexpr std::chrono::milliseconds k_stream_idle{60'000};

class HttpConnection final : public Connection {
 public:
  HttpConnection(http::Endpoint endpoint, std::shared_ptr<http::TlsClientContext> tls)
      : client_(context_.get_executor(), std::move(endpoint), std::move(tls)) {}

  Reply send(http::Request request) override { return run(client_.send(std::move(request), k_deadline)); }
  Reply upload(http::Request request, const std::string& file,
               std::function<void(std::uint64_t)> progress) override {
    return run(client_.upload(std::move(request), file, k_upload_idle, std::move(progress)));
  }
  Reply stream(http::Request request, std::function<Status(std::string_view)> sink) override {
    return run(client_.fetch(std::move(request), std::move(sink), k_stream_idle));
  }

 private:
  Reply run(boost::asio::awaitable<Reply> work) {
    std::optional<Reply> result;
    boost::asio::co_spawn(context_, std::move(work), [&result](std::exception_ptr failure, Reply reply) {
      if (!failure) result = std::move(reply);
    });
    context_.restart();
    // Not run(): a kept-alive connection may leave work behind that is none of this request's.
    while (!result && context_.run_one() > 0) {
    }
    if (!result) return make_error(Errc::internal, "the request ended without an answer");
    return std::move(*result);
  }

  boost::asio::io_context context_{1};
  http::Client client_;
};

}  // namespace

Result<std::unique_ptr<Connection>> connect(const proto::AdminCluster& cluster) {
  auto endpoint = http::parse_https_url(cluster.server, k_default_port);
  if (!endpoint) return error_of(endpoint, "the server of cluster " + cluster.name);
  http::ClientIdentity identity{cluster.client_certificate, Secret(cluster.client_key)};
  auto tls = http::TlsClientContext::make(cluster.ca_certificate, &identity, http::TlsPeer::coordinator);
  if (!tls) return error_of(tls, "the credentials of cluster " + cluster.name);
  return std::unique_ptr<Connection>(std::make_unique<HttpConnection>(std::move(*endpoint), std::move(*tls)));
}

http::Request make_request(http::Method method, std::string target, std::string body) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

Result<http::Response> exchange(Connection& connection, http::Request request) {
  auto response = connection.send(std::move(request));
  if (!response) return response;
  if (response->status >= 200 && response->status < 300) return response;
  return proto::from_problem(response->status, response->body);
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return out;
}

}  // namespace slipway::ctl
