#include "common/http/client.hpp"

#include <algorithm>
#include <optional>

#include "common/http/client_stream.hpp"
#include "common/http/connect.hpp"
#include "common/http/file_reader.hpp"
#include "common/http/tls_stream.hpp"
#include "common/http/wire.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_read_block = 16 * 1024;
// A server that does not know Expect answers nothing: then the body goes out unasked.
constexpr Millis k_wait_for_continue{3'000};

using Sink = std::function<Status(std::string_view)>;
using Begin = std::function<Status(const Response&)>;
using Progress = std::function<void(std::uint64_t)>;

SteadyTime after(Millis duration) {
  return std::chrono::steady_clock::now() + duration;
}

// RFC 9110 section 7.2: the scheme's own port is left out. Addresses that are signed with the name alone want it so.
std::string host_header(const Endpoint& endpoint, bool is_tls) {
  std::string text = authority(endpoint);
  if (endpoint.port == (is_tls ? 443 : 80)) text.resize(text.rfind(':'));
  return text;
}

// How long one exchange may take: as a whole, or for each step.
struct Pace {
  SteadyTime deadline = SteadyTime::max();
  Millis idle = Millis::max();
  SteadyTime next() const { return idle == Millis::max() ? deadline : std::min(deadline, after(idle)); }
};

// What is done with the parts of one exchange besides the request itself.
struct Transfer {
  Pace pace;
  Sink sink;                   // set: bodies of 200 and 206 go there
  Begin begin;                 // set: asked before such a body
  FileReader* file = nullptr;  // set: the request's body
  Progress progress;
};

// The target goes into the request line as it stands.
bool is_clean_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return false;
  return std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_idempotent(Method method) {
  return method == Method::get || method == Method::head || method == Method::put || method == Method::del;
}

}  // namespace

struct Client::Impl {
  Endpoint endpoint;
  std::shared_ptr<TlsClientContext> tls;
  bool in_the_clear = false;  // by without_tls() alone: a context that is missing must not end in plain text
  ClientLimits limits;
  std::optional<ClientStream> stream;
  std::string buffer;

  std::string at(std::string_view stage) const { return std::string(stage) + " " + authority(endpoint); }

  asio::awaitable<Status> connect(SteadyTime deadline);
  asio::awaitable<Result<Response>> run(Request request, Transfer transfer, bool may_repeat);
  asio::awaitable<Result<Response>> exchange(Request& request, Transfer& transfer, bool& answered);
  asio::awaitable<Status> send(Request& request, Transfer& transfer, bool& answered);
  asio::awaitable<Status> send_file(Transfer& transfer);
  asio::awaitable<Result<Response>> receive(Method method, Transfer& transfer, bool& answered);
  asio::awaitable<Status> read_header(MessageReader& reader, const Pace& pace, bool& answered);
  asio::awaitable<Status> read_body(MessageReader& reader, Transfer& transfer, bool to_sink,
                                    std::string& body);
  asio::awaitable<Result<std::size_t>> read_more(SteadyTime deadline);
};

namespace {

// In the frame of an exchange: whatever ends it early, an exception included, leaves no half-used connection
// behind.
class ConnectionGuard {
 public:
  ConnectionGuard(std::optional<ClientStream>& stream, std::string& buffer) : stream_(stream), buffer_(buffer) {}
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;
  ~ConnectionGuard() {
    if (keep_) return;
    stream_.reset();
    buffer_.clear();
  }
  void keep() { keep_ = true; }

 private:
  std::optional<ClientStream>& stream_;
  std::string& buffer_;
  bool keep_ = false;
};

}  // namespace

asio::awaitable<Status> Client::Impl::connect(SteadyTime deadline) {
  const SteadyTime until = std::min(deadline, after(limits.connect));
  buffer.clear();
  asio::awaitable<Result<asio::ip::tcp::socket>> connecting =
      connect_tcp(endpoint.host, endpoint.port, endpoint.from, until);
  Result<asio::ip::tcp::socket> socket = co_await std::move(connecting);
  if (!socket) co_return error_of(socket, at("connecting to"));
  if (in_the_clear) {
    stream.emplace(std::move(*socket));
    co_return Status{};
  }
  Result<TlsStream> made = TlsStream::client(std::move(*socket), tls, endpoint.host);
  if (!made) co_return error_of(made, at("TLS handshake with"));
  stream.emplace(std::move(*made));
  asio::awaitable<Status> shaking = stream->handshake(until);
  const Status shaken = co_await std::move(shaking);
  if (!shaken) co_return error_of(shaken, at("TLS handshake with"));
  co_return Status{};
}

asio::awaitable<Result<std::size_t>> Client::Impl::read_more(SteadyTime deadline) {
  const std::size_t before = buffer.size();
  buffer.resize(before + k_read_block);
  asio::awaitable<Result<std::size_t>> reading =
      stream->read_some(buffer.data() + before, k_read_block, deadline);
  const Result<std::size_t> got = co_await std::move(reading);
  buffer.resize(before + (got ? *got : 0));
  if (!got) co_return error_of(got, at("reading from"));
  co_return got;
}

asio::awaitable<Status> Client::Impl::read_header(MessageReader& reader, const Pace& pace, bool& answered) {
  for (;;) {
    const Status fed = reader.feed(buffer);
    if (!fed) co_return error_of(fed, at("reading from"));
    if (reader.header_done()) co_return Status{};
    asio::awaitable<Result<std::size_t>> reading = read_more(pace.next());
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got) co_return got.error();
    if (*got == 0)
      co_return make_error(Errc::unavailable, at("reading from") + ": the server closed the connection");
    answered = true;
  }
}

asio::awaitable<Status> Client::Impl::read_body(MessageReader& reader, Transfer& transfer, bool to_sink,
                                                std::string& body) {
  reader.read_body();
  for (;;) {
    const Status fed = reader.feed(buffer);
    if (!fed) co_return error_of(fed, at("reading from"));
    const std::string part = reader.take_body();
    if (to_sink && !part.empty()) {
      const Status taken = transfer.sink(part);
      if (!taken) co_return taken.error();
    } else {
      body += part;
    }
    if (body.size() > limits.body_bytes)
      co_return make_error(Errc::exhausted, at("reading from") + ": the answer is too large");
    if (reader.done()) co_return Status{};
    asio::awaitable<Result<std::size_t>> reading = read_more(transfer.pace.next());
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got) co_return got.error();
    if (*got > 0) continue;
    const Status ended = reader.feed_end();
    if (!ended) co_return error_of(ended, at("reading from"));
  }
}

asio::awaitable<Result<Response>> Client::Impl::receive(Method method, Transfer& transfer, bool& answered) {
  const MessageKind kind = method == Method::head ? MessageKind::response_to_head : MessageKind::response;
  for (;;) {
    MessageReader reader(kind, limits.header_bytes);
    asio::awaitable<Status> reading_header = read_header(reader, transfer.pace, answered);
    const Status header = co_await std::move(reading_header);
    if (!header) co_return header.error();
    if (reader.status() < 200) continue;  // 100 Continue
    Response response;
    response.status = reader.status();
    response.headers = std::move(reader.headers());
    const bool to_sink = transfer.sink && (response.status == 200 || response.status == 206);
    if (to_sink && transfer.begin) {
      const Status wanted = transfer.begin(response);
      if (!wanted) co_return wanted.error();
    }
    if (!reader.done()) {
      asio::awaitable<Status> reading_body = read_body(reader, transfer, to_sink, response.body);
      const Status body = co_await std::move(reading_body);
      if (!body) co_return body.error();
    }
    response.close = !reader.keep_alive();
    co_return response;
  }
}

asio::awaitable<Status> Client::Impl::send_file(Transfer& transfer) {
  std::string block;
  std::uint64_t sent = 0;
  while (transfer.file->left() > 0) {
    const Status read = transfer.file->next(block);
    if (!read) co_return read.error();
    asio::awaitable<Status> writing = stream->write(block, transfer.pace.idle, transfer.pace.deadline);
    const Status written = co_await std::move(writing);
    if (!written) co_return error_of(written, at("sending to"));
    sent += block.size();
    if (transfer.progress) transfer.progress(sent);
  }
  co_return Status{};
}

// Sets `answered` when the server refused before it saw the body.
asio::awaitable<Status> Client::Impl::send(Request& request, Transfer& transfer, bool& answered) {
  const std::uint64_t length = transfer.file != nullptr ? transfer.file->left() : request.body.size();
  const bool asks = transfer.file != nullptr && length > 0;
  std::string head = request_head(request, host_header(endpoint, !in_the_clear), length, asks);
  if (transfer.file == nullptr) head += request.body;
  const Millis idle = std::min(transfer.pace.idle, Millis(std::chrono::hours(1)));
  asio::awaitable<Status> writing = stream->write(head, idle, transfer.pace.deadline);
  const Status written = co_await std::move(writing);
  if (!written) co_return error_of(written, at("sending to"));
  if (!asks) co_return Status{};
  asio::awaitable<Result<std::size_t>> reading =
      read_more(std::min(transfer.pace.next(), after(k_wait_for_continue)));
  const Result<std::size_t> got = co_await std::move(reading);
  if (!got && got.error().code != Errc::timeout) co_return got.error();
  if (got && *got == 0)
    co_return make_error(Errc::unavailable, at("sending to") + ": the server closed the connection");
  answered = got && !buffer.starts_with("HTTP/1.1 100");
  if (answered) co_return Status{};
  asio::awaitable<Status> sending = send_file(transfer);
  co_return co_await std::move(sending);
}

asio::awaitable<Result<Response>> Client::Impl::exchange(Request& request, Transfer& transfer,
                                                         bool& answered) {
  ConnectionGuard guard(stream, buffer);
  bool refused_early = false;
  asio::awaitable<Status> sending = send(request, transfer, refused_early);
  const Status sent = co_await std::move(sending);
  if (refused_early) answered = true;
  if (!sent && sent.error().code != Errc::unavailable) co_return sent.error();
  // A server that refuses says why before it closes: look before giving up on a broken pipe.
  asio::awaitable<Result<Response>> receiving = receive(request.method, transfer, answered);
  Result<Response> response = co_await std::move(receiving);
  if (!response) {
    const bool says_more = response.error().code == Errc::unauthenticated || sent;
    co_return says_more ? response.error() : sent.error();
  }
  if (sent && !refused_early && !response->close && buffer.empty()) guard.keep();
  co_return response;
}

asio::awaitable<Result<Response>> Client::Impl::run(Request request, Transfer transfer, bool may_repeat) {
  if (!is_clean_target(request.target))
    co_return make_error(Errc::invalid, "request target must start with a slash and be percent-encoded");
  const bool kept = stream && stream->quiet();
  if (!kept) {
    stream.reset();
    ConnectionGuard guard(stream, buffer);
    asio::awaitable<Status> connecting = connect(transfer.pace.deadline);
    const Status connected = co_await std::move(connecting);
    if (!connected) co_return connected.error();
    guard.keep();
  }
  bool answered = false;
  asio::awaitable<Result<Response>> first = exchange(request, transfer, answered);
  Result<Response> response = co_await std::move(first);
  if (response || !kept || answered || !may_repeat || response.error().code != Errc::unavailable)
    co_return response;
  // The server closed the kept connection while the request was on its way: once more on a new one.
  ConnectionGuard guard(stream, buffer);
  asio::awaitable<Status> connecting = connect(transfer.pace.deadline);
  const Status connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  guard.keep();
  asio::awaitable<Result<Response>> second = exchange(request, transfer, answered);
  co_return co_await std::move(second);
}

Client::Client(asio::any_io_executor, Endpoint endpoint, std::shared_ptr<TlsClientContext> tls,
               ClientLimits limits)
    : impl_(std::make_unique<Impl>()) {
  impl_->endpoint = std::move(endpoint);
  impl_->tls = std::move(tls);
  impl_->limits = limits;
}
Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client Client::without_tls(asio::any_io_executor, Endpoint endpoint, ClientLimits limits) {
  auto impl = std::make_unique<Impl>();
  impl->endpoint = std::move(endpoint);
  impl->in_the_clear = true;
  impl->limits = limits;
  return Client(std::move(impl));
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

asio::awaitable<Result<Response>> Client::send(Request request, Millis deadline, bool retry_safe) {
  Transfer transfer;
  transfer.pace.deadline = after(deadline);
  const bool may_repeat = retry_safe || is_idempotent(request.method);
  return impl_->run(std::move(request), std::move(transfer), may_repeat);
}

asio::awaitable<Result<Response>> Client::fetch(Request request, Sink sink, Millis idle, Begin begin) {
  Transfer transfer;
  transfer.pace.idle = idle;
  transfer.sink = std::move(sink);
  transfer.begin = std::move(begin);
  const bool may_repeat = is_idempotent(request.method);
  return impl_->run(std::move(request), std::move(transfer), may_repeat);
}

asio::awaitable<Result<Response>> Client::upload(Request request, std::string file_path, Millis idle,
                                                 Progress progress) {
  FileReader file;
  const Status opened = file.open(file_path, 0, UINT64_MAX);
  if (!opened) co_return opened.error();
  Transfer transfer;
  transfer.pace.idle = idle;
  transfer.file = &file;
  transfer.progress = std::move(progress);
  asio::awaitable<Result<Response>> running = impl_->run(std::move(request), std::move(transfer), false);
  co_return co_await std::move(running);
}

void Client::close() {
  impl_->stream.reset();
  impl_->buffer.clear();
}

}  // namespace slipway::http
