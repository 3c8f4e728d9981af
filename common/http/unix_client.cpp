#include "common/http/unix_client.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/async/timeout.hpp"
#include "common/http/unix_stream.hpp"
#include "common/http/wire.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_header_bytes = 16 * 1024;
constexpr std::size_t k_body_bytes = 8 * 1024 * 1024;

// Somebody listens there: that is another trouble than nobody's.
Error no_answer(Error error, const std::string& target) {
  if (error.code == Errc::unavailable) {
    error.code = Errc::too_many;
    error.message += ": it is busy or ends, try again";
  }
  return context(std::move(error), "asking for " + target);
}

using Sink = std::function<Status(std::string_view)>;

asio::awaitable<Status> connect(UnixSocket& socket, std::string path) {
  if (const Status fits = check_socket_path(path); !fits) co_return fits.error();
  const asio::local::stream_protocol::endpoint endpoint(path);
  boost::system::error_code ec;
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) co_return Status{};
  Errc code = Errc::unavailable;
  if (ec == boost::system::errc::no_such_file_or_directory) code = Errc::not_found;
  if (ec == boost::system::errc::permission_denied) code = Errc::denied;
  co_return make_error(code, "connecting to " + path + ": " + ec.message());
}

asio::awaitable<Status> read_header(UnixSocket& socket, std::string& buffer, MessageReader& reader,
                                    Millis idle) {
  for (;;) {
    const Status fed = reader.feed(buffer);
    if (!fed) co_return fed.error();
    if (reader.header_done()) co_return Status{};
    asio::awaitable<Result<std::size_t>> reading = read_more(socket, buffer, idle);
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got) co_return got.error();
    if (*got == 0)
      co_return make_error(Errc::unavailable, "the daemon closed the connection without an answer");
  }
}

Status take_part(const std::string& part, const Sink& sink, std::string& body) {
  if (part.empty()) return {};
  if (sink) return sink(part);
  body += part;
  if (body.size() > k_body_bytes) return make_error(Errc::exhausted, "the answer is longer than 8 MiB");
  return {};
}

asio::awaitable<Status> read_body(UnixSocket& socket, std::string& buffer, MessageReader& reader, Millis idle,
                                  const Sink& sink, std::string& body) {
  reader.read_body();
  for (;;) {
    const Status fed = reader.feed(buffer);
    if (!fed) co_return fed.error();
    if (const Status taken = take_part(reader.take_body(), sink, body); !taken) co_return taken.error();
    if (reader.done()) co_return Status{};
    asio::awaitable<Result<std::size_t>> reading = read_more(socket, buffer, idle);
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got) co_return got.error();
    if (*got > 0) continue;
    const Status ended = reader.feed_end();
    if (!ended) co_return ended.error();
  }
}

}  // namespace

asio::awaitable<Result<Response>> get_over_unix(std::string socket_path, std::string target, Millis idle,
                                                Sink sink) {
  UnixSocket socket(co_await asio::this_coro::executor);
  asio::awaitable<Status> connecting = connect(socket, socket_path);
  asio::awaitable<Status> limited = with_timeout<void>(idle, std::move(connecting));
  const Status connected = co_await std::move(limited);
  if (!connected) co_return connected.error();
  Request request;
  request.target = target;
  request.headers.set("Connection", "close");
  const std::string head = request_head(request, "localhost", 0, false);
  asio::awaitable<Status> sending = write_all(socket, head, idle);
  const Status sent = co_await std::move(sending);
  if (!sent) co_return no_answer(sent.error(), target);
  MessageReader reader(MessageKind::response, k_header_bytes);
  std::string buffer;
  asio::awaitable<Status> reading_header = read_header(socket, buffer, reader, idle);
  const Status header = co_await std::move(reading_header);
  if (!header) co_return no_answer(header.error(), target);
  Response response;
  response.status = reader.status();
  response.headers = std::move(reader.headers());
  const Sink chosen = response.status == 200 ? sink : Sink();
  asio::awaitable<Status> reading_body = read_body(socket, buffer, reader, idle, chosen, response.body);
  const Status body = co_await std::move(reading_body);
  if (!body) co_return no_answer(body.error(), target);
  co_return response;
}

}  // namespace slipway::http
