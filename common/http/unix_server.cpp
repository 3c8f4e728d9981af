#include "common/http/unix_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <list>

#include "common/async/spawn.hpp"
#include "common/core/unique_fd.hpp"
#include "common/http/body_stream.hpp"
#include "common/http/target.hpp"
#include "common/http/unix_stream.hpp"
#include "common/http/wire.hpp"
#include "common/log/log.hpp"

namespace slipway::http {

namespace asio = boost::asio;
using Acceptor = asio::local::stream_protocol::acceptor;

namespace {

constexpr Millis k_accept_pause{50};
constexpr std::size_t k_most_groups = 1024;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

Result<UniqueFd> new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return from_errno("making a socket", errno);
  return fd;
}

Status bind_and_listen(int fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  // Linux gives the name the mode of the socket itself, so there is no moment at which it is wider.
  if (::fchmod(fd, 0600) != 0) return from_errno("chmod of a socket", errno);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return from_errno("bind " + path, errno);
  if (::listen(fd, 16) != 0) return from_errno("listen on " + path, errno);
  return {};
}

// Somebody else's name is not taken: a socket that nobody answers on is a killed process's.
Status make_sure_it_is_free(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0)
    return errno == ENOENT ? Status{} : Status(from_errno("stat " + path, errno));
  if (!S_ISSOCK(there.st_mode)) return make_error(Errc::invalid, path + " is there and no socket: remove it");
  auto fd = new_socket();
  if (!fd) return fd.error();
  const sockaddr_un address = address_of(path);
  const bool answers =
      ::connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno == EAGAIN;
  if (answers) return make_error(Errc::conflict, "another program answers at " + path);
  return {};
}

Status put_in_place(const std::string& temporary, const std::string& path, std::optional<gid_t> group) {
  if (group && ::lchown(temporary.c_str(), static_cast<uid_t>(-1), *group) != 0)
    return from_errno("chown " + temporary, errno);
  if (group && ::chmod(temporary.c_str(), 0660) != 0) return from_errno("chmod " + temporary, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return from_errno("rename " + temporary + " to " + path, errno);
  return {};
}

Result<UniqueFd> open_socket(const std::string& path, std::optional<gid_t> group) {
  const std::string temporary = path + "." + std::to_string(::getpid());
  for (const std::string& name : {path, temporary}) {
    if (const Status fits = check_socket_path(name); !fits) return fits.error();
  }
  if (const Status is_free = make_sure_it_is_free(path); !is_free) return is_free.error();
  ::unlink(temporary.c_str());
  auto fd = new_socket();
  if (!fd) return fd.error();
  Status done = bind_and_listen(fd->get(), temporary);
  if (done) done = put_in_place(temporary, path, group);
  if (done) return std::move(*fd);
  ::unlink(temporary.c_str());
  return done.error();
}

std::optional<UnixPeer> peer_of(int fd) {
  ucred who{};
  socklen_t size = sizeof(who);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return std::nullopt;
  UnixPeer peer{who.uid, who.pid, std::vector<gid_t>(k_most_groups)};
  size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
  const bool listed = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0;
  peer.groups.resize(listed ? size / sizeof(gid_t) : 0);
  peer.groups.push_back(who.gid);
  return peer;
}

struct Shared {
  asio::any_io_executor executor;
  UnixHandler handler;
  UnixLimits limits;
  std::list<UnixSocket*> live;
  Acceptor* acceptor = nullptr;
  bool stopped = false;
};
using SharedPtr = std::shared_ptr<Shared>;

// One connection, in its coroutine's frame.
class Connection {
 public:
  Connection(SharedPtr server, UnixSocket socket, UnixPeer peer)
      : server_(std::move(server)), socket_(std::move(socket)), peer_(std::move(peer)) {
    place_ = server_->live.insert(server_->live.end(), &socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { server_->live.erase(place_); }

  asio::awaitable<bool> exchange();  // false: the connection is over

 private:
  asio::awaitable<bool> read_head(MessageReader& reader);  // false: it is over, a refusal is sent
  std::optional<Response> judge(MessageReader& reader, Request& request) const;
  asio::awaitable<Response> answer(Request request);
  asio::awaitable<bool> respond(Response response, bool head_only, bool keep_alive);
  asio::awaitable<Status> send_chunks(std::shared_ptr<BodyStream> stream);

  SharedPtr server_;
  UnixSocket socket_;
  UnixPeer peer_;
  std::list<UnixSocket*>::iterator place_;
  std::string buffer_;
  bool had_request_ = false;
};

asio::awaitable<bool> Connection::read_head(MessageReader& reader) {
  Millis limit = had_request_ ? server_->limits.idle : server_->limits.header;
  for (;;) {
    const Status fed = reader.feed(buffer_);
    if (!fed) {
      const bool large = fed.error().code == Errc::exhausted;
      asio::awaitable<bool> refusing =
          respond(problem(large ? 431 : 400, large ? "headerTooLarge" : "invalid", fed.error().message),
                  false, false);
      co_await std::move(refusing);
      co_return false;
    }
    if (reader.header_done()) co_return true;
    asio::awaitable<Result<std::size_t>> reading = read_more(socket_, buffer_, limit);
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got || *got == 0) co_return false;
    limit = server_->limits.header;
  }
}

std::optional<Response> Connection::judge(MessageReader& reader, Request& request) const {
  if (reader.version() != 10 && reader.version() != 11)
    return problem(400, "invalid", "unknown HTTP version");
  const bool asks = reader.method() == Method::get || reader.method() == Method::head;
  if (!asks)
    return problem(405, "methodNotAllowed", "this socket answers questions (GET) and changes nothing");
  if (reader.chunked() || reader.content_length().value_or(0) > 0)
    return problem(413, "bodyTooLarge", "a question here has no body");
  Result<Target> target = parse_target(reader.target());
  if (!target) return problem(400, "invalid", target.error().message);
  request.method = reader.method();
  request.target = reader.target();
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  request.headers = std::move(reader.headers());
  return server_->handler.refuse ? server_->handler.refuse(peer_, request) : std::nullopt;
}

// Exceptions end here: a fault in one answer must not end the daemon.
asio::awaitable<Response> Connection::answer(Request request) {
  const std::string path = request.path;
  try {
    asio::awaitable<Response> handling = server_->handler.handle(std::move(request));
    co_return co_await std::move(handling);
  } catch (const std::exception& error) {
    log::error("answering on the local socket failed", {{"path", path}, {"error", error.what()}});
  }
  co_return problem(500, "internal", "unexpected fault; the log tells more");
}

asio::awaitable<bool> Connection::exchange() {
  MessageReader reader(MessageKind::request, server_->limits.header_bytes);
  asio::awaitable<bool> reading = read_head(reader);
  const bool there = co_await std::move(reading);
  if (!there) co_return false;
  had_request_ = true;
  const bool head_only = reader.method() == Method::head;
  bool keep_alive = reader.keep_alive();
  Request request;
  std::optional<Response> refusal = judge(reader, request);
  if (refusal) {
    asio::awaitable<bool> refusing = respond(std::move(*refusal), head_only, false);
    co_return co_await std::move(refusing);
  }
  asio::awaitable<Response> answering = answer(std::move(request));
  Response response = co_await std::move(answering);
  if (response.stream && reader.version() == 10)
    response = problem(505, "httpVersion", "this answer is a stream: ask with HTTP/1.1");
  keep_alive = keep_alive && !response.close && !server_->stopped;
  asio::awaitable<bool> responding = respond(std::move(response), head_only, keep_alive);
  co_return co_await std::move(responding);
}

asio::awaitable<Status> Connection::send_chunks(std::shared_ptr<BodyStream> stream) {
  for (;;) {
    asio::awaitable<Result<std::string>> asking = stream->next();
    const Result<std::string> part = co_await std::move(asking);
    if (!part) co_return part.error();
    const std::string chunk = chunk_of(*part);
    asio::awaitable<Status> writing = write_all(socket_, chunk, server_->limits.write_idle);
    const Status written = co_await std::move(writing);
    if (!written || part->empty()) co_return written;
  }
}

asio::awaitable<bool> Connection::respond(Response response, bool head_only, bool keep_alive) {
  const std::shared_ptr<BodyStream> stream = response.stream;
  if (stream) response.headers.set("Transfer-Encoding", "chunked");
  const bool has_body = !stream && response.status != 204 && response.status != 304;
  std::string out = response_head(
      response, has_body ? std::optional<std::uint64_t>(response.body.size()) : std::nullopt, keep_alive);
  if (has_body && !head_only) out += response.body;
  asio::awaitable<Status> writing = write_all(socket_, out, server_->limits.write_idle);
  Status written = co_await std::move(writing);
  if (written && stream && !head_only) {
    asio::awaitable<Status> sending = send_chunks(stream);
    written = co_await std::move(sending);
  }
  co_return written.has_value() && keep_alive;
}

asio::awaitable<Status> serve(SharedPtr server, UnixSocket socket, UnixPeer peer) {
  Connection connection(std::move(server), std::move(socket), std::move(peer));
  for (bool goes_on = true; goes_on;) {
    asio::awaitable<bool> exchanging = connection.exchange();
    goes_on = co_await std::move(exchanging);
  }
  co_return Status{};
}

// In the accept loop's frame: stop() finds the acceptor only while it exists.
struct AcceptorPlace {
  AcceptorPlace(SharedPtr owner, Acceptor& acceptor) : server(std::move(owner)) {
    server->acceptor = &acceptor;
  }
  AcceptorPlace(const AcceptorPlace&) = delete;
  AcceptorPlace& operator=(const AcceptorPlace&) = delete;
  ~AcceptorPlace() { server->acceptor = nullptr; }
  SharedPtr server;
};

asio::awaitable<Status> accept_loop(SharedPtr server, Acceptor acceptor) {
  const AcceptorPlace place(server, acceptor);
  while (!server->stopped) {
    boost::system::error_code ec;
    UnixSocket socket(server->executor);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (server->stopped || ec == asio::error::operation_aborted) break;
    if (ec) {
      // No descriptors left or the like: time for connections to end.
      asio::steady_timer timer(server->executor, k_accept_pause);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    auto peer = peer_of(socket.native_handle());
    if (!peer || server->live.size() >= server->limits.connections) continue;
    spawn_detached(server->executor, "local connection", serve(server, std::move(socket), std::move(*peer)));
  }
  co_return Status{};
}

}  // namespace

struct UnixServer::Impl {
  SharedPtr shared = std::make_shared<Shared>();
  std::string path;
};

UnixServer::UnixServer(asio::any_io_executor executor, UnixHandler handler, UnixLimits limits)
    : impl_(std::make_shared<Impl>()) {
  impl_->shared->executor = std::move(executor);
  impl_->shared->handler = std::move(handler);
  impl_->shared->limits = limits;
}

UnixServer::~UnixServer() {
  stop();
}

Status UnixServer::listen(const std::string& path, std::optional<gid_t> group) {
  auto fd = open_socket(path, group);
  if (!fd) return fd.error();
  Acceptor acceptor(impl_->shared->executor);
  boost::system::error_code ec;
  acceptor.assign(asio::local::stream_protocol(), fd->get(), ec);
  if (ec) return from_errno("listening on " + path, ec.value());
  (void)fd->release();
  impl_->path = path;
  spawn_detached(impl_->shared->executor, "local socket", accept_loop(impl_->shared, std::move(acceptor)));
  return {};
}

void UnixServer::stop() {
  Shared& shared = *impl_->shared;
  if (shared.stopped) return;
  shared.stopped = true;
  boost::system::error_code ignored;
  if (shared.acceptor != nullptr) shared.acceptor->close(ignored);
  for (UnixSocket* socket : shared.live) socket->close(ignored);
  if (!impl_->path.empty()) ::unlink(impl_->path.c_str());
}

std::size_t UnixServer::connection_count() const {
  return impl_->shared->live.size();
}

}  // namespace slipway::http
