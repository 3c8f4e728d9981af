#pragma once
// HTTP/1.1 over a Unix socket, for programs on this host. No TLS: the kernel says who is at the other end.
// GET only, without bodies; limits and deadlines as on the network, because a program that hangs must not
// hold up the daemon.
#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway::http {

// As the kernel noted it at connect(2) (SO_PEERCRED, SO_PEERGROUPS).
struct UnixPeer {
  uid_t uid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // the primary one and all others
};

struct UnixLimits {
  std::chrono::milliseconds header{5'000};       // from the first byte, or from the connect
  std::chrono::milliseconds idle{15'000};        // between two requests
  std::chrono::milliseconds write_idle{30'000};  // for each piece of a response
  std::size_t header_bytes = 8 * 1024;
  std::size_t connections = 16;
};

struct UnixHandler {
  // A response: the one that is refused gets it. May be empty: everybody whom the socket's mode lets in.
  std::function<std::optional<Response>(const UnixPeer& peer, const Request& request)> refuse;
  std::function<boost::asio::awaitable<Response>(Request request)> handle;
};

// Used on the executor's thread.
class UnixServer {
 public:
  UnixServer(boost::asio::any_io_executor executor, UnixHandler handler, UnixLimits limits = {});
  ~UnixServer();  // stop()
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;

  // The socket appears under its name when it has its mode and group already, and takes the place of one that
  // a killed process left. Without `group`: 0600, the caller's; with one: 0660. Errc::conflict when somebody
  // answers there, Errc::invalid when something else than a socket has the name.
  Status listen(const std::string& path, std::optional<gid_t> group = {});
  // Closes everything and removes the socket's name.
  void stop();
  std::size_t connection_count() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipway::http
