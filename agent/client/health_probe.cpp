#include "agent/client/health_probe.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "common/async/timeout.hpp"
#include "common/http/client.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

asio::awaitable<Status> connect_only(http::ProbeAddress address) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  http::ProbeConnection connection(executor);
  asio::awaitable<Status> connecting = connection.connect(std::move(address));
  co_return co_await std::move(connecting);
}

asio::awaitable<Status> ask_once(http::ProbeQuestion question) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  http::ProbeConnection connection(executor);
  asio::awaitable<Status> asking = connection.ask(std::move(question));
  co_return co_await std::move(asking);
}

}  // namespace

asio::awaitable<Status> probe_once(http::ProbeQuestion question, Millis limit) {
  asio::awaitable<Status> asking = ask_once(std::move(question));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(asking));
  co_return co_await std::move(limited);
}

asio::awaitable<Status> probe_https(std::string host, std::uint16_t port, std::string path,
                                    std::shared_ptr<http::TlsClientContext> tls, Millis limit) {
  // Not in the argument list: GCC 12 destroys a temporary twice that stands beside a co_await.
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  http::Endpoint endpoint{std::move(host), port};
  http::Client client(executor, std::move(endpoint), std::move(tls));
  http::Request request;
  request.target = path;
  asio::awaitable<Result<http::Response>> sending = client.send(std::move(request), limit);
  const Result<http::Response> response = co_await std::move(sending);
  if (!response) co_return response.error();
  if (response->status != 200)
    co_return make_error(Errc::unavailable, path + " answers " + std::to_string(response->status));
  co_return Status{};
}

asio::awaitable<Status> probe_tcp(std::string host, std::uint16_t port, Millis limit) {
  http::ProbeAddress address{std::move(host), port};
  asio::awaitable<Status> connecting = connect_only(std::move(address));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(connecting));
  co_return co_await std::move(limited);
}

}  // namespace slipway
