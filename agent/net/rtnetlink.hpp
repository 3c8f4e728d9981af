#pragma once
// Links, addresses and routes of the network namespace in which open() was called, over one netlink socket.
// Synchronous; used on one thread. Any answer is waited for at most 5 seconds.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "agent/net/nl_message.hpp"
#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

struct RouteChange {
  MarkedRoute route;
  bool remove = false;
};

class Rtnetlink {
 public:
  static Result<Rtnetlink> open();

  // With their addresses.
  Result<std::vector<NetworkLink>> links();
  // The IPv4 routes of the main table with k_route_protocol.
  Result<std::vector<MarkedRoute>> marked_routes();

  // In order, one status each; about 400 messages a system call. Removing what is not there is success.
  std::vector<Status> change_routes(const std::vector<RouteChange>& changes);
  Status remove_link(int index);
  // The kernel's name of this socket: broadcasts of our own changes carry it. 0: not known.
  std::uint32_t port() const;

 private:
  explicit Rtnetlink(UniqueFd fd) : fd_(std::move(fd)) {}

  using Visitor = std::function<Status(const Message&)>;
  Result<std::string> receive();
  Status send(std::string_view bytes);
  // Repeats the whole dump when the kernel says that it was overtaken by a change. `restart` is called before
  // each try.
  Status dump(std::uint16_t type, const std::string& header, std::uint16_t attribute, std::uint32_t value,
              const std::function<void()>& restart, const Visitor& visit);
  Result<bool> dump_once(std::uint32_t sequence, const Visitor& visit);  // false: inconsistent, try again
  Status add_addresses(std::vector<NetworkLink>& links);
  // Sends changes[first, last) and fills their statuses. Errc::exhausted: answers were lost.
  Status change_batch(const std::vector<RouteChange>& changes, std::size_t first, std::size_t last,
                      std::vector<Status>& out);
  Status request(const MessageWriter& writer, std::uint32_t sequence, std::string_view doing);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

// The address from which this machine would send to `remote`.
Result<IpAddress> source_address(const IpAddress& remote);

}  // namespace slipway::net
