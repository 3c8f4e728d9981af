#include "common/http/unix_stream.hpp"

#include <sys/un.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "common/async/timeout.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_block = 16 * 1024;

Error failed(std::string_view doing, const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted) return make_error(Errc::canceled, "cancelled");
  return make_error(Errc::unavailable, std::string(doing) + ": " + ec.message());
}

asio::awaitable<Result<std::size_t>> read_once(UnixSocket& socket, std::string& buffer) {
  const std::size_t before = buffer.size();
  buffer.resize(before + k_block);
  boost::system::error_code ec;
  const asio::mutable_buffer room(buffer.data() + before, k_block);
  const std::size_t got =
      co_await socket.async_read_some(room, asio::redirect_error(asio::use_awaitable, ec));
  buffer.resize(before + (ec ? 0 : got));
  if (ec == asio::error::eof) co_return std::size_t{0};
  if (ec) co_return failed("reading", ec);
  co_return got;
}

asio::awaitable<Status> write_once(UnixSocket& socket, std::string_view data) {
  boost::system::error_code ec;
  const asio::const_buffer all(data.data(), data.size());
  co_await asio::async_write(socket, all, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("writing", ec);
  co_return Status{};
}

}  // namespace

Status check_socket_path(const std::string& path) {
  if (!path.empty() && path.size() < sizeof(sockaddr_un::sun_path)) return {};
  return make_error(Errc::invalid, path + ": a socket's path has 1 to " +
                                       std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " letters");
}

asio::awaitable<Result<std::size_t>> read_more(UnixSocket& socket, std::string& buffer, Millis limit) {
  const std::size_t before = buffer.size();
  asio::awaitable<Result<std::size_t>> reading = read_once(socket, buffer);
  asio::awaitable<Result<std::size_t>> limited = with_timeout<std::size_t>(limit, std::move(reading));
  const Result<std::size_t> got = co_await std::move(limited);
  if (!got) buffer.resize(before);
  co_return got;
}

asio::awaitable<Status> write_all(UnixSocket& socket, std::string_view data, Millis limit) {
  asio::awaitable<Status> writing = write_once(socket, data);
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(writing));
  co_return co_await std::move(limited);
}

}  // namespace slipway::http
