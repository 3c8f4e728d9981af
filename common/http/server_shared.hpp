#pragma once
// Private to common/http: what the connections of one server share.
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/http/handshake_turns.hpp"
#include "common/http/server.hpp"
#include "common/http/tls_stream.hpp"

namespace slipway::http {

// A live connection, owned by its coroutine's frame.
struct LiveConnection {
  TlsStream* stream = nullptr;
  const Peer* peer = nullptr;
  bool is_idle = false;  // between two requests
};

struct ServerShared {
  ServerShared(std::vector<boost::asio::any_io_executor> threads, std::shared_ptr<TlsServerContext> context,
               ServerLimits l, Handler h)
      : executors(std::move(threads)),
        limits(l),
        handler(std::move(h)),
        live(executors.size()),
        tls_(std::move(context)) {
    for (const auto& executor : executors) turns.push_back(std::make_unique<HandshakeTurns>(executor));
  }

  const std::vector<boost::asio::any_io_executor> executors;
  const ServerLimits limits;
  const Handler handler;

  // live[i] and its elements: only on the thread of executors[i]. acceptors: only on that of executors[0].
  std::vector<std::list<LiveConnection*>> live;
  std::list<boost::asio::ip::tcp::acceptor*> acceptors;
  std::vector<std::unique_ptr<HandshakeTurns>> turns;  // turns[i] likewise

  std::atomic<bool> draining{false};  // no new connections, no further requests on old ones

  std::shared_ptr<TlsServerContext> current_tls();
  void replace_tls(std::shared_ptr<TlsServerContext> next);

  // Whether one more connection of `address` fits; leave() gives it back. Until prove() it is one that has shown no certificate: those may
  // not take the places kept for known addresses, but for a few from each of these (a node that is known may harbour a hostile pod).
  bool enter(const IpAddress& address);
  void prove(const IpAddress& address);
  void leave(const IpAddress& address, bool proven);
  // Connections without a client certificate have limits of their own.
  bool enter_anonymous();
  void leave_anonymous();
  std::size_t connection_count();
  // Addresses from which a certificate of ours was shown lately; some tens of thousands are remembered.
  bool is_known(const IpAddress& address);
  void note_known(const IpAddress& address);
  void set_fleets(std::vector<Cidr> fleets);

 private:
  struct Count {
    std::size_t all = 0;
    std::size_t unproven = 0;  // of these
  };
  bool has_place(const IpAddress& address, const Count& count) const;  // with mutex_ held
  bool is_fleet(const IpAddress& address) const;  // likewise
  bool remembers(const IpAddress& address) const { return known_.contains(address) || known_before_.contains(address); }
  void remember(const IpAddress& address);

  std::mutex mutex_;
  std::shared_ptr<TlsServerContext> tls_;
  std::map<IpAddress, Count> by_address_;
  Count total_;
  std::size_t anonymous_ = 0;
  std::vector<Cidr> fleets_;
  std::set<IpAddress> known_, known_before_;  // a full one becomes the one before
};

// Gives back the place that the accept loop took.
class Seat {
 public:
  Seat(std::shared_ptr<ServerShared> server, const IpAddress& address) : server_(std::move(server)), address_(address) {}
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() { server_->leave(address_, proven_); }

  // Once: a certificate of ours was shown.
  void prove() {
    server_->prove(address_);
    proven_ = true;
  }

 private:
  std::shared_ptr<ServerShared> server_;
  IpAddress address_;
  bool proven_ = false;
};

// One connection from accept to close, on the thread of executors[thread]. The place in enter() is taken
// already.
boost::asio::awaitable<Status> serve_connection(std::shared_ptr<ServerShared> server, std::size_t thread,
                                                boost::asio::ip::tcp::socket socket, Peer peer);

}  // namespace slipway::http
