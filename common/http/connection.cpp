// One connection: handshake, then requests strictly in order, each within its limits.
#include <algorithm>
#include <array>
#include <exception>

#include "common/core/text.hpp"
#include "common/http/body_stream.hpp"
#include "common/http/file_reader.hpp"
#include "common/http/server_shared.hpp"
#include "common/http/spool.hpp"
#include "common/http/target.hpp"
#include "common/http/wire.hpp"
#include "common/log/log.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_first_block = 2 * 1024;  // a header, and a heartbeat with its body
constexpr std::size_t k_read_block = 16 * 1024;
// Up to here one TLS record with the head is cheaper than sparing the copy.
constexpr std::size_t k_join_with_head = 4 * 1024;
constexpr Millis k_linger{1'000};

SteadyTime after(Millis duration) {
  return std::chrono::steady_clock::now() + duration;
}

Response body_too_large() {
  return problem(413, "bodyTooLarge", "the body is larger than this request may have");
}

// Where a body goes: into the request, or into a file.
class BodySink {
 public:
  BodySink(const Admission& admission, std::string& memory) : limit_(admission.body_limit), memory_(memory) {
    spools_ = !admission.spool_dir.empty();
    if (spools_) status_ = file_.create(admission.spool_dir);
  }
  bool spools() const { return spools_; }
  // A response when there is no going on.
  std::optional<Response> take(std::string_view part) {
    total_ += part.size();
    if (total_ > limit_) return body_too_large();
    if (!spools_) memory_ += part;
    if (spools_ && status_) status_ = file_.append(part);
    if (status_) return std::nullopt;
    log::error("spooling a body failed", {{"error", status_.error()}});
    return problem(507, "exhausted", "no room to receive the body");
  }
  std::string release() { return file_.release(); }
  void discard() { file_.discard(); }

 private:
  const std::uint64_t limit_;
  std::string& memory_;
  SpoolFile file_;
  Status status_;
  std::uint64_t total_ = 0;
  bool spools_ = false;
};

class Connection {
 public:
  // The seat outlives it.
  Connection(std::shared_ptr<ServerShared> server, Seat& seat, std::size_t thread, TlsStream stream, Peer peer)
      : server_(std::move(server)), seat_(seat), thread_(thread), stream_(std::move(stream)), peer_(std::move(peer)) {
    live_.stream = &stream_;
    live_.peer = &peer_;
    place_ = server_->live[thread_].insert(server_->live[thread_].end(), &live_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    server_->live[thread_].erase(place_);
    if (is_anonymous_) server_->leave_anonymous();
  }

  asio::awaitable<void> run();

 private:
  // What came of reading something.
  enum class Got { all, nothing, refused };
  // A request that is to be answered.
  struct Turn {
    Request request;
    int version = 11;
    bool keep_alive = false;
    bool head_only = false;
  };

  asio::awaitable<bool> shake_hands();
  asio::awaitable<bool> exchange();  // one request and its response; false: the connection is over
  asio::awaitable<bool> wait_for_request();
  asio::awaitable<std::optional<Turn>> read_request();  // absent: the connection is over, any refusal is sent
  asio::awaitable<Got> read_header(MessageReader& reader);
  asio::awaitable<Got> read_body(MessageReader& reader, Request& request, const Admission& admission);
  asio::awaitable<Result<std::size_t>> read_more(std::size_t block, SteadyTime deadline);
  Result<Request> make_request(MessageReader& reader);
  std::optional<Response> judge(MessageReader& reader, Request& request, Admission& admission);
  std::optional<Response> fault_in_head(MessageReader& reader) const;
  Result<Admission> admit(const Request& request) const;
  using Confirm = std::function<asio::awaitable<std::optional<Response>>()>;
  static asio::awaitable<std::optional<Response>> confirm(Confirm ask, std::string path);
  asio::awaitable<bool> respond(Response response, bool head_only, bool keep_alive);
  asio::awaitable<Status> send_file(FileReader& file);
  asio::awaitable<bool> respond_in_chunks(Response response, bool head_only, bool keep_alive);
  asio::awaitable<Status> send_chunks(BodyStream& stream);
  asio::awaitable<void> refuse(Response response);

  std::shared_ptr<ServerShared> server_;
  Seat& seat_;
  const std::size_t thread_;
  TlsStream stream_;
  Peer peer_;
  LiveConnection live_;
  std::list<LiveConnection*>::iterator place_;
  std::string buffer_;  // read, not yet parsed
  bool is_anonymous_ = false;
  bool had_request_ = false;
};

asio::awaitable<void> Connection::run() {
  asio::awaitable<bool> shaking = shake_hands();
  bool goes_on = co_await std::move(shaking);
  while (goes_on) {
    asio::awaitable<bool> exchanging = exchange();
    goes_on = co_await std::move(exchanging);
  }
  asio::awaitable<void> ending = stream_.linger(std::min(k_linger, server_->limits.write_idle));
  co_await std::move(ending);
}

asio::awaitable<bool> Connection::shake_hands() {
  const bool known = server_->is_known(peer_.address);
  asio::awaitable<Status> shaking = stream_.handshake(after(server_->limits.handshake), server_->turns[thread_].get(), known);
  const Status shaken = co_await std::move(shaking);
  if (!shaken) {
    log::debug("TLS handshake failed", {{"peer", peer_.address.to_string()}, {"error", shaken.error()}});
    co_return false;
  }
  std::string certificate = stream_.peer_certificate();
  if (!certificate.empty()) peer_.certificate = std::make_shared<const std::string>(std::move(certificate));
  if (server_->handler.identify) peer_.identity = server_->handler.identify(peer_);
  if (peer_.has_certificate()) {
    seat_.prove();
    co_return true;
  }
  is_anonymous_ = server_->enter_anonymous();
  co_return is_anonymous_;
}

asio::awaitable<Result<std::size_t>> Connection::read_more(std::size_t block, SteadyTime deadline) {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + block);
  asio::awaitable<Result<std::size_t>> reading = stream_.read_some(buffer_.data() + before, block, deadline);
  const Result<std::size_t> got = co_await std::move(reading);
  buffer_.resize(before + (got ? *got : 0));
  co_return got;
}

asio::awaitable<bool> Connection::wait_for_request() {
  if (server_->draining) co_return false;
  if (!buffer_.empty()) co_return true;
  std::array<char, 256> first{};
  live_.is_idle = true;
  const Millis limit = had_request_ ? server_->limits.idle : server_->limits.header;
  asio::awaitable<Result<std::size_t>> reading = stream_.read_some(first.data(), first.size(), after(limit));
  const Result<std::size_t> got = co_await std::move(reading);
  live_.is_idle = false;
  if (!got || *got == 0) co_return false;
  buffer_.assign(first.data(), *got);
  co_return true;
}

asio::awaitable<Connection::Got> Connection::read_header(MessageReader& reader) {
  const SteadyTime deadline = after(server_->limits.header);
  for (;;) {
    const Status fed = reader.feed(buffer_);
    if (!fed) {
      const bool too_large = fed.error().code == Errc::exhausted;
      asio::awaitable<void> refusing = refuse(
          problem(too_large ? 431 : 400, too_large ? "headerTooLarge" : "invalid", fed.error().message));
      co_await std::move(refusing);
      co_return Got::refused;
    }
    if (reader.header_done()) co_return Got::all;
    asio::awaitable<Result<std::size_t>> reading = read_more(k_first_block, deadline);
    const Result<std::size_t> got = co_await std::move(reading);
    if (got && *got > 0) continue;
    if (!got && got.error().code == Errc::timeout) {
      asio::awaitable<void> refusing =
          refuse(problem(408, "timeout", "the request's header did not arrive in time"));
      co_await std::move(refusing);
      co_return Got::refused;
    }
    co_return Got::nothing;
  }
}

std::optional<Response> Connection::fault_in_head(MessageReader& reader) const {
  if (reader.version() != 10 && reader.version() != 11)
    return problem(400, "invalid", "unknown HTTP version");
  if (reader.version() == 11 && reader.headers().find("Host") == nullptr)
    return problem(400, "invalid", "the Host header is missing");
  if (reader.method() == Method::other) return problem(501, "notImplemented", "unknown method");
  const std::string* const encoding = reader.headers().find("Transfer-Encoding");
  if (encoding != nullptr && lower(*encoding) != "chunked") {
    return problem(501, "notImplemented", "the only transfer encoding is chunked");
  }
  if (encoding != nullptr && reader.headers().find("Content-Length") != nullptr) {
    return problem(400, "invalid", "both Content-Length and Transfer-Encoding");
  }
  const std::string* const expect = reader.headers().find("Expect");
  if (expect != nullptr && lower(*expect) != "100-continue")
    return problem(417, "expectationFailed", "unknown expectation");
  return std::nullopt;
}

Result<Request> Connection::make_request(MessageReader& reader) {
  Result<Target> target = parse_target(reader.target());
  if (!target) return target.error();
  Request request;
  request.method = reader.method();
  request.target = reader.target();
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  request.headers = std::move(reader.headers());
  request.peer = peer_;
  return request;
}

// Exceptions end here: a fault in one handler must not end a connection's thread.
Result<Admission> Connection::admit(const Request& request) const {
  try {
    return server_->handler.admit(request);
  } catch (const std::exception& error) {
    log::error("admitting a request failed", {{"path", request.path}, {"error", error.what()}});
    return make_error(Errc::internal, "unexpected fault");
  }
}

asio::awaitable<std::optional<Response>> Connection::confirm(Confirm ask, std::string path) {
  try {
    asio::awaitable<std::optional<Response>> asking = ask();
    co_return co_await std::move(asking);
  } catch (const std::exception& error) {
    log::error("admitting a request failed", {{"path", path}, {"error", error.what()}});
    co_return problem(500, "internal", "unexpected fault");
  }
}

asio::awaitable<Connection::Got> Connection::read_body(MessageReader& reader, Request& request,
                                                       const Admission& admission) {
  BodySink sink(admission, request.body);
  const SteadyTime body_deadline = after(server_->limits.body);
  const std::size_t block = reader.content_length().value_or(k_read_block) < k_first_block ? k_first_block : k_read_block;
  reader.read_body();
  for (;;) {
    const Status fed = reader.feed(buffer_);
    const std::string part = reader.take_body();
    std::optional<Response> fault = sink.take(part);
    if (!fed) fault = problem(400, "invalid", fed.error().message);
    if (!fault && reader.done()) break;
    if (!fault) {
      const SteadyTime deadline = sink.spools() ? after(server_->limits.spool_idle) : body_deadline;
      asio::awaitable<Result<std::size_t>> reading = read_more(block, deadline);
      const Result<std::size_t> got = co_await std::move(reading);
      if (got && *got > 0) continue;
      if (got || got.error().code != Errc::timeout) co_return Got::nothing;
      fault = problem(408, "timeout", "the request's body did not arrive in time");
    }
    // Before the answer: whoever is told that there is no room finds the room that his own half took free again.
    sink.discard();
    asio::awaitable<void> refusing = refuse(std::move(*fault));
    co_await std::move(refusing);
    co_return Got::refused;
  }
  if (sink.spools()) request.body_file = sink.release();
  co_return Got::all;
}

// All that is decided by the header alone; a response when the request goes no further.
std::optional<Response> Connection::judge(MessageReader& reader, Request& request, Admission& admission) {
  std::optional<Response> fault = fault_in_head(reader);
  if (fault) return fault;
  Result<Request> made = make_request(reader);
  if (!made) return problem(400, "invalid", made.error().message);
  request = std::move(*made);
  Result<Admission> admitted = admit(request);
  if (!admitted) return problem(500, "internal", admitted.error().message);
  admission = std::move(*admitted);
  if (admission.refuse) return std::move(admission.refuse);
  if (reader.content_length().value_or(0) > admission.body_limit) return body_too_large();
  return std::nullopt;
}

// The reader and its buffers end here: while a long poll waits its connection keeps only what the answer needs.
asio::awaitable<std::optional<Connection::Turn>> Connection::read_request() {
  MessageReader reader(MessageKind::request, server_->limits.header_bytes);
  asio::awaitable<Got> reading_header = read_header(reader);
  const Got header = co_await std::move(reading_header);
  if (header != Got::all) co_return std::nullopt;

  Turn turn;
  Admission admission;
  turn.head_only = reader.method() == Method::head;
  std::optional<Response> fault = judge(reader, turn.request, admission);
  if (!fault && admission.confirm) {
    asio::awaitable<std::optional<Response>> confirming = confirm(admission.confirm, turn.request.path);
    fault = co_await std::move(confirming);
  }
  if (fault) {
    asio::awaitable<bool> responding = respond(std::move(*fault), turn.head_only, false);
    co_await std::move(responding);
    co_return std::nullopt;
  }
  if (!reader.done()) {
    if (turn.request.headers.find("Expect") != nullptr && buffer_.empty()) {
      asio::awaitable<Status> inviting =
          stream_.write("HTTP/1.1 100 Continue\r\n\r\n", server_->limits.write_idle);
      const Status invited = co_await std::move(inviting);
      if (!invited) co_return std::nullopt;
    }
    asio::awaitable<Got> reading_body = read_body(reader, turn.request, admission);
    const Got body = co_await std::move(reading_body);
    if (body != Got::all) co_return std::nullopt;
  }
  turn.version = reader.version();
  turn.keep_alive = reader.keep_alive();
  // Thousands of idle connections and long polls: none keeps a block of memory.
  if (buffer_.empty()) std::string().swap(buffer_);
  co_return turn;
}

asio::awaitable<bool> Connection::exchange() {
  asio::awaitable<bool> waiting = wait_for_request();
  const bool has_request = co_await std::move(waiting);
  if (!has_request) co_return false;
  had_request_ = true;
  asio::awaitable<std::optional<Turn>> reading = read_request();
  std::optional<Turn> turn = co_await std::move(reading);
  if (!turn) co_return false;
  const std::string path = turn->request.path;
  Response response;
  try {
    asio::awaitable<Response> handling = server_->handler.handle(std::move(turn->request));
    response = co_await std::move(handling);
  } catch (const std::exception& error) {
    log::error("handling a request failed", {{"path", path}, {"error", error.what()}});
    response = problem(500, "internal", "unexpected fault; the coordinator's log tells more");
  }
  // RFC 9112 7.1: HTTP/1.0 knows no chunks, and without them the end of a stream cannot be told from a broken one.
  if (response.stream && turn->version == 10) response = problem(505, "httpVersion", "this answer is a stream: ask with HTTP/1.1");
  const bool keep_alive = turn->keep_alive && !response.close && !server_->draining;
  asio::awaitable<bool> responding = respond(std::move(response), turn->head_only, keep_alive);
  co_return co_await std::move(responding);
}

asio::awaitable<void> Connection::refuse(Response response) {
  asio::awaitable<bool> responding = respond(std::move(response), false, false);
  co_await std::move(responding);
}

asio::awaitable<Status> Connection::send_file(FileReader& file) {
  std::string block;
  while (file.left() > 0) {
    const Status read = file.next(block);
    if (!read) {
      log::error("sending a file failed", {{"error", read.error()}});
      co_return read.error();
    }
    asio::awaitable<Status> writing = stream_.write(block, server_->limits.write_idle);
    const Status written = co_await std::move(writing);
    if (!written) co_return written.error();
  }
  co_return Status{};
}

asio::awaitable<Status> Connection::send_chunks(BodyStream& stream) {
  for (;;) {
    asio::awaitable<Result<std::string>> asking = stream.next();
    const Result<std::string> part = co_await std::move(asking);
    if (!part) co_return part.error();
    // The chunk of length zero is the end.
    const std::string chunk = chunk_of(*part);
    asio::awaitable<Status> writing = stream_.write(chunk, server_->limits.write_idle);
    const Status written = co_await std::move(writing);
    if (!written || part->empty()) co_return written;
  }
}

asio::awaitable<bool> Connection::respond_in_chunks(Response response, bool head_only, bool keep_alive) {
  response.headers.set("Transfer-Encoding", "chunked");
  const std::string head = response_head(response, std::nullopt, keep_alive);
  asio::awaitable<Status> writing_head = stream_.write(head, server_->limits.write_idle);
  Status written = co_await std::move(writing_head);
  if (written && !head_only) {
    asio::awaitable<Status> sending = send_chunks(*response.stream);
    written = co_await std::move(sending);
  }
  if (!written) stream_.cut();
  co_return written.has_value() && keep_alive;
}

asio::awaitable<bool> Connection::respond(Response response, bool head_only, bool keep_alive) {
  if (response.stream) {
    asio::awaitable<bool> chunking = respond_in_chunks(std::move(response), head_only, keep_alive);
    co_return co_await std::move(chunking);
  }
  FileReader file;
  if (response.file) {
    const Status opened = file.open(response.file->path, response.file->offset, response.file->length);
    if (!opened) {
      log::error("sending a file failed", {{"error", opened.error()}});
      response = problem(500, "internal", "the file cannot be read");
    }
  }
  const bool has_body = response.status >= 200 && response.status != 204 && response.status != 304;
  const std::string& body = response.shared_body ? *response.shared_body : response.body;
  std::optional<std::uint64_t> length;
  if (has_body) length = response.file ? response.file->length : body.size();
  std::string head = response_head(response, length, keep_alive);
  const bool sends_body = has_body && !head_only;
  const bool joined = sends_body && !response.file && body.size() <= k_join_with_head;
  if (joined) head += body;
  asio::awaitable<Status> writing_head = stream_.write(head, server_->limits.write_idle);
  Status written = co_await std::move(writing_head);
  if (written && sends_body && response.file) {
    asio::awaitable<Status> sending = send_file(file);
    written = co_await std::move(sending);
  } else if (written && sends_body && !joined) {
    asio::awaitable<Status> writing_body = stream_.write(body, server_->limits.write_idle);
    written = co_await std::move(writing_body);
  }
  if (!written) stream_.cut();  // half a response must not look like a whole one
  co_return written.has_value() && keep_alive;
}

}  // namespace

asio::awaitable<Status> serve_connection(std::shared_ptr<ServerShared> server, std::size_t thread,
                                         asio::ip::tcp::socket socket, Peer peer) {
  Seat seat(server, peer.address);
  Result<TlsStream> stream = TlsStream::server(std::move(socket), server->current_tls());
  if (!stream) co_return stream.error();
  Connection connection(std::move(server), seat, thread, std::move(*stream), std::move(peer));
  asio::awaitable<void> running = connection.run();
  co_await std::move(running);
  co_return Status{};
}

}  // namespace slipway::http
