#include "common/http/connect.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <vector>

#include "common/async/timeout.hpp"
#include "common/core/ip.hpp"

namespace slipway::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// getaddrinfo() cannot be interrupted: the question outlives whoever stops waiting for the answer.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), wake(executor) {}
  tcp::resolver resolver;
  asio::steady_timer wake;
  bool done = false;
  boost::system::error_code ec;
  std::vector<tcp::endpoint> endpoints;
};

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                            SteadyTime deadline) {
  const Result<IpAddress> literal = IpAddress::parse(host);
  if (literal) {
    boost::system::error_code ec;
    const asio::ip::address address = asio::ip::make_address(literal->to_string(), ec);
    if (ec) co_return from_errno("reading the address", ec.value());
    co_return std::vector<tcp::endpoint>{tcp::endpoint(address, port)};
  }
  auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->wake.expires_at(deadline);
  lookup->resolver.async_resolve(
      host, std::to_string(port),
      [lookup](const boost::system::error_code& ec, const tcp::resolver::results_type& results) {
        lookup->done = true;
        lookup->ec = ec;
        for (const auto& result : results) lookup->endpoints.push_back(result.endpoint());
        lookup->wake.cancel();
      });
  boost::system::error_code ec;
  co_await lookup->wake.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (!lookup->done)
    co_return make_error(ec ? Errc::canceled : Errc::timeout,
                         "resolving the name " + host + ": no answer from the resolver in time");
  if (lookup->ec)
    co_return make_error(Errc::unavailable, "resolving the name " + host + ": " + lookup->ec.message());
  co_return std::move(lookup->endpoints);
}

Status bind_to(tcp::socket& socket, const IpAddress& from) {
  boost::system::error_code ec;
  const asio::ip::address address = asio::ip::make_address(from.to_string(), ec);
  const tcp::endpoint own(address, 0);
  if (!ec) socket.open(own.protocol(), ec);
  if (!ec) socket.bind(own, ec);
  if (ec) return from_errno("connecting from this host's address " + from.to_string(), ec.value());
  return {};
}

asio::awaitable<Status> connect_one(tcp::socket& socket, tcp::endpoint endpoint) {
  boost::system::error_code ec;
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::operation_aborted) co_return make_error(Errc::canceled, "cancelled");
  if (ec) co_return make_error(Errc::unavailable, from_errno("", ec.value()).message.substr(2));
  co_return Status{};
}

}  // namespace

asio::awaitable<Result<tcp::socket>> connect_tcp(std::string host, std::uint16_t port, std::optional<IpAddress> from,
                                                 SteadyTime deadline) {
  asio::awaitable<Result<std::vector<tcp::endpoint>>> resolving = resolve(std::move(host), port, deadline);
  const Result<std::vector<tcp::endpoint>> endpoints = co_await std::move(resolving);
  if (!endpoints) co_return endpoints.error();
  Error last = make_error(Errc::unavailable, "the name has no address");
  for (const tcp::endpoint& endpoint : *endpoints) {
    const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return make_error(Errc::timeout, "no answer in time");
    tcp::socket socket(co_await asio::this_coro::executor);
    if (from && from->is_v4() == endpoint.address().is_v4()) {
      if (const Status bound = bind_to(socket, *from); !bound) co_return bound.error();
    }
    asio::awaitable<Status> one = connect_one(socket, endpoint);
    asio::awaitable<Status> limited = with_timeout<void>(left, std::move(one));
    const Status connected = co_await std::move(limited);
    if (connected) co_return std::move(socket);
    if (connected.error().code == Errc::canceled) co_return connected.error();
    last = connected.error();
    if (last.code == Errc::timeout)
      last.message = "no answer in time: is the host up and the port open in its firewall";
  }
  co_return last;
}

}  // namespace slipway::http
