#include "common/http/server.hpp"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "common/async/spawn.hpp"
#include "common/core/text.hpp"
#include "common/http/server_shared.hpp"
#include "common/log/log.hpp"

namespace slipway::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// No descriptors left or the like: time for connections to end.
constexpr Millis k_accept_pause{50};
constexpr Millis k_drain_step{10};
constexpr std::size_t k_accept_at_once = 16;   // of those that stand in line, before other work goes on
constexpr std::size_t k_known_addresses = 20'000;
constexpr std::size_t k_unproven_of_known = 8;  // of one known address at a time, beyond what strangers left
constexpr std::size_t k_fleets_part_of_kept = 8;     // likewise of an address that a fleet shares

IpAddress address_of(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_uint());
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return IpAddress::v4(asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint());
  const auto bytes = v6.to_bytes();
  return IpAddress::from_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()})
      .value_or(IpAddress());
}

Result<tcp::endpoint> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto bad = [&] {
    return make_error(Errc::invalid,
                      "listen address " + std::string(text) + " must look like 0.0.0.0:7443 or [::]:7443");
  };
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::optional<std::uint64_t> port = parse_u64(text.substr(colon + 1), 65535);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const Result<IpAddress> address = IpAddress::parse(host);
  if (!address || !port) return bad();
  boost::system::error_code ec;
  const asio::ip::address native = asio::ip::make_address(address->to_string(), ec);
  if (ec) return bad();
  return tcp::endpoint(native, static_cast<std::uint16_t>(*port));
}

Result<tcp::acceptor> open_acceptor(const asio::any_io_executor& executor, const tcp::endpoint& endpoint,
                                    std::string_view text) {
  tcp::acceptor acceptor(executor);
  boost::system::error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) acceptor.non_blocking(true, ec);
  if (ec) return from_errno("listening on " + std::string(text), ec.value());
  return acceptor;
}

// In the accept loop's frame: others find the acceptor only while it exists.
class AcceptorPlace {
 public:
  AcceptorPlace(std::shared_ptr<ServerShared> server, tcp::acceptor& acceptor)
      : server_(std::move(server)), place_(server_->acceptors.insert(server_->acceptors.end(), &acceptor)) {}
  AcceptorPlace(const AcceptorPlace&) = delete;
  AcceptorPlace& operator=(const AcceptorPlace&) = delete;
  ~AcceptorPlace() { server_->acceptors.erase(place_); }

 private:
  std::shared_ptr<ServerShared> server_;
  std::list<tcp::acceptor*>::iterator place_;
};

// To thread `next`, which becomes the one after it.
void hand_over(const std::shared_ptr<ServerShared>& server, std::size_t& next, tcp::socket socket) {
  const std::size_t thread = std::exchange(next, (next + 1) % server->executors.size());
  boost::system::error_code ec;
  const tcp::endpoint remote = socket.remote_endpoint(ec);
  if (ec) return;  // gone already
  Peer peer;
  peer.address = address_of(remote.address());
  peer.port = remote.port();
  if (!server->enter(peer.address)) return;  // closing costs less than a handshake to say no
  spawn_detached(server->executors[thread], "connection",
                 serve_connection(server, thread, std::move(socket), std::move(peer)));
}

// Those that stand in line already. An error is left to the asynchronous accept, which meets it again.
void accept_waiting(const std::shared_ptr<ServerShared>& server, tcp::acceptor& acceptor, std::size_t& next) {
  for (std::size_t i = 1; i < k_accept_at_once; ++i) {
    boost::system::error_code ec;
    tcp::socket socket(server->executors[next]);
    acceptor.accept(socket, ec);
    if (ec) return;
    hand_over(server, next, std::move(socket));
  }
}

asio::awaitable<Status> pause(asio::any_io_executor executor) {
  asio::steady_timer timer(executor, k_accept_pause);
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return Status{};
}

asio::awaitable<Status> accept_loop(std::shared_ptr<ServerShared> server, tcp::acceptor acceptor) {
  const AcceptorPlace place(server, acceptor);
  std::size_t next = 0;
  bool failing = false;
  while (!server->draining) {
    boost::system::error_code ec;
    tcp::socket socket = co_await acceptor.async_accept(server->executors[next],
                                                        asio::redirect_error(asio::use_awaitable, ec));
    if (server->draining || ec == asio::error::operation_aborted) break;
    if (!ec) {
      failing = false;
      hand_over(server, next, std::move(socket));
      accept_waiting(server, acceptor, next);
      continue;
    }
    if (ec == asio::error::connection_aborted) continue;
    if (!failing) log::error("accepting connections fails", {{"error", from_errno("accept", ec.value())}});
    failing = true;
    asio::awaitable<Status> pausing = pause(server->executors[0]);
    const Status paused = co_await std::move(pausing);
    if (!paused) break;
  }
  co_return Status{};
}

void stop_accepting(const std::shared_ptr<ServerShared>& server) {
  server->draining = true;
  asio::post(server->executors[0], [server] {
    for (tcp::acceptor* acceptor : server->acceptors) {
      boost::system::error_code ignored;
      acceptor->close(ignored);
    }
  });
}

void cut_where(const std::shared_ptr<ServerShared>& server,
               std::function<bool(const LiveConnection&)> doomed) {
  const auto shared = std::make_shared<const std::function<bool(const LiveConnection&)>>(std::move(doomed));
  for (std::size_t i = 0; i < server->executors.size(); ++i) {
    asio::post(server->executors[i], [server, shared, i] {
      for (LiveConnection* connection : server->live[i]) {
        if ((*shared)(*connection)) connection->stream->cut();
      }
    });
  }
}

}  // namespace

std::shared_ptr<TlsServerContext> ServerShared::current_tls() {
  const std::lock_guard lock(mutex_);
  return tls_;
}

void ServerShared::replace_tls(std::shared_ptr<TlsServerContext> next) {
  const std::lock_guard lock(mutex_);
  tls_ = std::move(next);
}

bool ServerShared::has_place(const IpAddress& address, const Count& count) const {
  const std::size_t kept = std::min(limits.known_connections.value_or(limits.connections / 4), limits.connections);
  const std::size_t of_strangers = limits.connections - kept;
  const bool fleet = is_fleet(address);
  const std::size_t most = fleet ? std::max(of_strangers, limits.connections_per_address) : limits.connections_per_address;
  if (total_.all >= limits.connections || count.all >= most) return false;
  if (total_.unproven < of_strangers) return true;
  const std::size_t unproven = fleet ? std::max(kept / k_fleets_part_of_kept, k_unproven_of_known) : k_unproven_of_known;
  return count.unproven < unproven && remembers(address);
}

bool ServerShared::is_fleet(const IpAddress& address) const {
  return std::any_of(fleets_.begin(), fleets_.end(), [&address](const Cidr& block) { return block.contains(address); });
}

void ServerShared::set_fleets(std::vector<Cidr> fleets) {
  const std::lock_guard lock(mutex_);
  fleets_ = std::move(fleets);
}

bool ServerShared::enter(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  if (!has_place(address, found == by_address_.end() ? Count() : found->second)) return false;
  Count& of_address = by_address_[address];
  for (Count* count : {&total_, &of_address}) {
    ++count->all;
    ++count->unproven;
  }
  return true;
}

void ServerShared::prove(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  --total_.unproven;
  --by_address_[address].unproven;
  remember(address);
}

void ServerShared::leave(const IpAddress& address, bool proven) {
  const std::lock_guard lock(mutex_);
  Count& of_address = by_address_[address];
  for (Count* count : {&total_, &of_address}) {
    --count->all;
    if (!proven) --count->unproven;
  }
  if (of_address.all == 0) by_address_.erase(address);
}

bool ServerShared::enter_anonymous() {
  const std::lock_guard lock(mutex_);
  if (anonymous_ >= limits.anonymous_connections) return false;
  ++anonymous_;
  return true;
}

void ServerShared::leave_anonymous() {
  const std::lock_guard lock(mutex_);
  --anonymous_;
}

bool ServerShared::is_known(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  return remembers(address);
}

void ServerShared::note_known(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  remember(address);
}

void ServerShared::remember(const IpAddress& address) {
  if (known_.size() >= std::max(k_known_addresses, limits.connections)) known_before_ = std::exchange(known_, {});
  known_.insert(address);
}

std::size_t ServerShared::connection_count() {
  const std::lock_guard lock(mutex_);
  return total_.all;
}

struct Server::Impl {
  std::shared_ptr<ServerShared> shared;
};

Server::Server(std::vector<asio::any_io_executor> executors, std::shared_ptr<TlsServerContext> tls,
               ServerLimits limits, Handler handler)
    : impl_(std::make_shared<Impl>()) {
  impl_->shared =
      std::make_shared<ServerShared>(std::move(executors), std::move(tls), limits, std::move(handler));
}

Server::~Server() {
  stop_accepting(impl_->shared);
  cut_where(impl_->shared, [](const LiveConnection&) { return true; });
}

Result<std::uint16_t> Server::listen(std::string_view address) {
  const Result<tcp::endpoint> endpoint = parse_listen_address(address);
  if (!endpoint) return endpoint.error();
  Result<tcp::acceptor> acceptor = open_acceptor(impl_->shared->executors[0], *endpoint, address);
  if (!acceptor) return acceptor.error();
  boost::system::error_code ec;
  const tcp::endpoint bound = acceptor->local_endpoint(ec);
  if (ec) return from_errno("listening on " + std::string(address), ec.value());
  spawn_detached(impl_->shared->executors[0], "accept", accept_loop(impl_->shared, std::move(*acceptor)));
  return bound.port();
}

void Server::note_known(const IpAddress& address) {
  impl_->shared->note_known(address);
}

void Server::set_fleets(std::vector<Cidr> fleets) {
  impl_->shared->set_fleets(std::move(fleets));
}

void Server::replace_tls(std::shared_ptr<TlsServerContext> tls) {
  impl_->shared->replace_tls(std::move(tls));
}

void Server::cut(std::function<bool(const Peer& peer)> doomed) {
  cut_where(impl_->shared, [doomed = std::move(doomed)](const LiveConnection& connection) {
    return connection.peer->has_certificate() && doomed(*connection.peer);
  });
}

namespace {

asio::awaitable<void> drain_shared(std::shared_ptr<ServerShared> server, Millis limit) {
  stop_accepting(server);
  cut_where(server, [](const LiveConnection& connection) { return connection.is_idle; });
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
  bool cut_all = false;
  // The connections end on several threads; a short tick is simpler than a count that wakes across them.
  while (server->connection_count() > 0) {
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (late && cut_all) break;
    if (late) {
      cut_where(server, [](const LiveConnection&) { return true; });
      cut_all = true;
    }
    timer.expires_after(k_drain_step);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) break;
  }
}

}  // namespace

asio::awaitable<void> Server::drain(Millis deadline) {
  return drain_shared(impl_->shared, deadline);
}

std::size_t Server::connection_count() const {
  return impl_->shared->connection_count();
}

}  // namespace slipway::http
