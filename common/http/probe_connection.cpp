#include "common/http/probe_connection.hpp"

#include <sys/un.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <string_view>
#include <utility>

#include "common/http/wire.hpp"

namespace asio = boost::asio;

namespace slipway::http {

namespace {

// What "ok" or a list of checks takes; more is not read.
constexpr std::size_t k_most_header = 16 * 1024;
constexpr std::size_t k_most_body = 64 * 1024;
constexpr std::size_t k_read_block = 1024;

// RFC 9113 sections 4.1, 4.2 and 6
constexpr std::string_view k_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view k_no_settings("\0\0\0\4\0\0\0\0\0", 9);
constexpr std::string_view k_settings_taken("\0\0\0\4\1\0\0\0\0", 9);
constexpr std::size_t k_frame_head = 9;
constexpr std::size_t k_most_payload = 16 * 1024;
constexpr int k_most_frames = 16;  // settings, an acknowledgement, perhaps a window and a ping between them
constexpr char k_settings_frame = 4;
constexpr char k_go_away_frame = 7;
constexpr char k_acknowledged = 1;

Error failed(std::string_view doing, const boost::system::error_code& ec) {
  return make_error(ec == asio::error::operation_aborted ? Errc::canceled : Errc::unavailable, std::string(doing) + ": " + ec.message());
}

std::string name_of(const ProbeAddress& address) {
  return address.port == 0 ? address.host : "port " + std::to_string(address.port);
}

// No Result of it: this endpoint can be made of anything that has a data(), an error too.
Status find_endpoint(const ProbeAddress& address, asio::generic::stream_protocol::endpoint& endpoint) {
  if (address.port == 0) {
    if (address.host.size() >= sizeof(sockaddr_un::sun_path)) return make_error(Errc::invalid, address.host + ": too long for a socket");
    endpoint = asio::local::stream_protocol::endpoint(address.host);
    return {};
  }
  boost::system::error_code ec;
  const auto parsed = asio::ip::make_address(address.host, ec);
  if (ec) return make_error(Errc::invalid, "probe of " + address.host + ": not an address");
  endpoint = asio::ip::tcp::endpoint(parsed, address.port);
  return {};
}

}  // namespace

asio::awaitable<Status> ProbeConnection::connect(ProbeAddress address) {
  asio::generic::stream_protocol::endpoint endpoint;
  if (const Status found = find_endpoint(address, endpoint); !found) co_return found.error();
  boost::system::error_code ec;
  co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("connecting to " + name_of(address), ec);
  co_return Status{};
}

asio::awaitable<Status> ProbeConnection::write(std::string bytes, std::string what) {
  boost::system::error_code ec;
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed(what, ec);
  co_return Status{};
}

asio::awaitable<Status> ProbeConnection::ask(ProbeQuestion question) {
  reusable_ = false;
  answered_ = false;
  if (!socket_.is_open()) {
    asio::awaitable<Status> connecting = connect(question.address);
    if (const Status connected = co_await std::move(connecting); !connected) co_return connected.error();
  }
  std::string host = question.address.port == 0 ? "localhost" : std::move(question.address.host);
  asio::awaitable<Status> asking = question.path.empty() ? greet_http2() : get(std::move(host), std::move(question.path));
  co_return co_await std::move(asking);
}

asio::awaitable<Status> ProbeConnection::read_answer(MessageReader& reader, std::string path) {
  std::size_t body = 0;
  for (bool in_body = false; !reader.done();) {
    if (const Status fed = reader.feed(buffer_); !fed) co_return make_error(Errc::unavailable, path + " answers what is no HTTP: " + fed.error().message);
    if (reader.header_done() && !std::exchange(in_body, true)) {
      reader.read_body();
      continue;
    }
    body += reader.take_body().size();
    if (body > k_most_body) co_return make_error(Errc::unavailable, path + " answers with more than anybody's health takes");
    if (reader.done()) break;
    asio::awaitable<Status> reading = read_more(reader);
    if (const Status read = co_await std::move(reading); !read) co_return context(read.error(), "reading " + path);
  }
  co_return Status{};
}

asio::awaitable<Status> ProbeConnection::read_more(MessageReader& reader) {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + k_read_block);
  boost::system::error_code ec;
  const std::size_t got =
      co_await socket_.async_read_some(asio::buffer(buffer_.data() + before, k_read_block), asio::redirect_error(asio::use_awaitable, ec));
  buffer_.resize(before + got);
  if (got > 0) answered_ = true;
  if (ec == asio::error::eof) co_return reader.feed_end();
  if (ec) co_return failed("waiting for an answer", ec);
  co_return Status{};
}

asio::awaitable<Status> ProbeConnection::get(std::string host, std::string path) {
  asio::awaitable<Status> asking = write("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "asking for " + path);
  if (const Status asked = co_await std::move(asking); !asked) co_return asked.error();
  MessageReader reader(MessageKind::response, k_most_header);
  asio::awaitable<Status> reading = read_answer(reader, path);
  if (const Status read = co_await std::move(reading); !read) co_return read.error();
  reusable_ = reader.keep_alive() && buffer_.empty();
  if (reader.status() != 200) co_return make_error(Errc::unavailable, path + " answers " + std::to_string(reader.status()));
  co_return Status{};
}

asio::awaitable<Result<char>> ProbeConnection::read_frame(char& flags) {
  std::string head(k_frame_head, '\0');
  boost::system::error_code ec;
  co_await asio::async_read(socket_, asio::buffer(head), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("reading its settings", ec);
  answered_ = true;
  const auto byte = [&head](std::size_t at) { return std::size_t{static_cast<unsigned char>(head[at])}; };
  const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
  if (size > k_most_payload) co_return make_error(Errc::unavailable, "it does not speak HTTP/2");
  std::string payload(size, '\0');
  co_await asio::async_read(socket_, asio::buffer(payload), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("reading its settings", ec);
  flags = head[4];
  co_return head[3];
}

asio::awaitable<Status> ProbeConnection::settings_acknowledged() {
  for (int frames = 0; frames < k_most_frames; ++frames) {
    char flags = 0;
    asio::awaitable<Result<char>> reading = read_frame(flags);
    const Result<char> type = co_await std::move(reading);
    if (!type) co_return type.error();
    // A server begins with its settings.
    if (!greeted_ && (*type != k_settings_frame || flags != 0)) co_return make_error(Errc::unavailable, "it does not speak HTTP/2");
    greeted_ = true;
    if (*type == k_go_away_frame) co_return make_error(Errc::unavailable, "it ends the connection");
    if (*type != k_settings_frame) continue;
    if (flags == k_acknowledged) co_return Status{};
    owes_acknowledgement_ = true;
  }
  co_return make_error(Errc::unavailable, "it does not acknowledge settings");
}

asio::awaitable<Status> ProbeConnection::greet_http2() {
  std::string frames(greeted_ ? std::string_view() : k_preface);
  if (std::exchange(owes_acknowledgement_, false)) frames += k_settings_taken;
  frames += k_no_settings;
  asio::awaitable<Status> greeting = write(std::move(frames), "greeting it");
  if (const Status greeted = co_await std::move(greeting); !greeted) co_return greeted.error();
  asio::awaitable<Status> waiting = settings_acknowledged();
  const Status acknowledged = co_await std::move(waiting);
  reusable_ = acknowledged.has_value();
  co_return acknowledged;
}

}  // namespace slipway::http
