#pragma once
// Links, addresses, routes, neighbours and forwarding entries of the network namespace in which open() was called, over one
// netlink socket. Synchronous; used on one thread. Any answer is waited for at most 5 seconds.
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

class Rtnetlink {
 public:
  static Result<Rtnetlink> open();
  // Over a socket that keeps the boundaries of what is sent; its other end answers as the kernel does. For tests.
  static Rtnetlink over(UniqueFd fd) { return Rtnetlink(std::move(fd)); }

  // With their addresses.
  Result<std::vector<NetworkLink>> links();
  // The routes of the main tables, IPv4 and IPv6, with k_route_protocol.
  Result<std::vector<MarkedRoute>> marked_routes();
  // Marks the links that have a route of IPv6 from a router's advertisement.
  Status mark_learnt(std::vector<NetworkLink>& links);
  // Marks the addresses of `link` whose prefix no route leads to by it.
  Status mark_connected(NetworkLink& link);
  // What hangs on a tunnel device: permanent neighbours of both families, and forwarding entries.
  Result<std::vector<Neighbour>> neighbours(int link);
  Result<std::vector<ForwardingEntry>> forwarding(int link);

  // Applies steps[first, last), all of them batched ones (rt_write.hpp), in order, with one status each in `out`, which is as
  // long as `steps`; about 400 messages a system call. `overlay` stands for k_overlay_to_come. Removing what is not there is
  // success.
  void change(const std::vector<NetworkStep>& steps, std::size_t first, std::size_t last, int overlay, std::vector<Status>& out);

  // Makes the tunnel device, without an IPv6 address of its own and not yet up; returns its index.
  Result<int> make_overlay(const PutOverlay& put);
  Status mend_overlay(const MendOverlay& mend);
  // At once usable; with a route to the rest of its prefix when there is one. `doing`: for errors. Removing
  // one that is gone is success.
  Status put_address(int link, const LinkAddress& address, const std::string& doing);
  Status remove_address(int link, const LinkAddress& address, const std::string& doing);
  Status remove_link(int index);  // one that is gone is removed
  // The kernel's name of this socket: broadcasts of our own changes carry it. 0: not known.
  std::uint32_t port() const;

 private:
  explicit Rtnetlink(UniqueFd fd) : fd_(std::move(fd)) {}

  using Visitor = std::function<Status(const Message&)>;
  struct DumpFilter {
    std::string header;
    std::uint16_t attribute = 0;  // 0: none
    std::uint32_t value = 0;
  };
  Result<std::string> receive();
  Status send(std::string_view bytes);
  // Repeats the whole dump when the kernel says that it was overtaken by a change. `restart` is called before
  // each try.
  Status dump(std::uint16_t type, const DumpFilter& filter, const std::function<void()>& restart, const Visitor& visit);
  Result<bool> dump_once(std::uint32_t sequence, const Visitor& visit);  // false: inconsistent, try again
  // Appends what `read` makes of the messages.
  template <class T, class Read>
  Status dump_into(std::vector<T>& out, std::uint16_t type, const DumpFilter& filter, const Read& read);
  Status add_addresses(std::vector<NetworkLink>& links);
  // Errc::exhausted: answers were lost.
  Status change_batch(const std::vector<NetworkStep>& steps, std::size_t first, std::size_t last, int overlay,
                      std::vector<Status>& out);
  // The answer to one request with NLM_F_ACK.
  Result<Ack> ask(const MessageWriter& writer, std::uint32_t sequence);
  Status request(const MessageWriter& writer, std::uint32_t sequence, std::string_view doing);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

// The address from which this machine would send to `remote`.
Result<IpAddress> source_address(const IpAddress& remote);

}  // namespace slipway::net
