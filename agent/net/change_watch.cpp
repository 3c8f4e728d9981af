#include "agent/net/change_watch.hpp"

#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/domain/link_hop.hpp"
#include "agent/domain/network_plan.hpp"
#include "agent/net/event_filter.hpp"
#include "agent/net/nl_message.hpp"
#include "agent/net/rule_events.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace asio = boost::asio;

namespace {

constexpr int k_rules_buffer = 4 << 20;  // kube-proxy's rules of some thousand services, written in one go

// Who listens, to tell own changes from others'.
struct Listener {
  std::uint32_t port = 0;  // of the socket that makes our changes; 0: not known
  int overlay = 0;         // interface index; 0: none
};

// Every interface gives itself such an IPv6 address, a pod's end too; no route of ours needs one. Ours are
// missed when they go.
bool is_others_link_local(const Message& message) {
  if (message.payload.size() < sizeof(ifaddrmsg) || message.payload[0] != AF_INET6) return false;
  const auto attributes = parse_attributes(message.payload.substr(NLMSG_ALIGN(sizeof(ifaddrmsg))));
  const auto address = attributes ? IpAddress::from_bytes(find_attribute(*attributes, IFA_ADDRESS)) : std::nullopt;
  if (!address || !address->is_link_local()) return false;
  return message.type == RTM_NEWADDR || !is_link_hop(*address);
}

// A port of a bridge is a pod's end: each pod makes a handful of events that concern no route of ours.
bool concerns_our_links(const Message& message) {
  if (message.type == RTM_NEWADDR || message.type == RTM_DELADDR) return !is_others_link_local(message);
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return false;
  if (message.payload.size() < sizeof(ifinfomsg) || message.payload[0] != 0)
    return false;  // AF_BRIDGE port news
  const auto attributes = parse_attributes(message.payload.substr(NLMSG_ALIGN(sizeof(ifinfomsg))));
  return attributes && find_attribute(*attributes, IFLA_MASTER).empty();
}

// Routes of others come and go by the thousand where a routing daemon runs; one that replaces another may have replaced ours.
bool concerns_our_routes(const Message& message, std::uint32_t own_port) {
  if (message.type != RTM_NEWROUTE && message.type != RTM_DELROUTE) return false;
  if (message.payload.size() < sizeof(rtmsg) || (own_port != 0 && message.port == own_port)) return false;
  rtmsg head{};
  std::memcpy(&head, message.payload.data(), sizeof head);
  if ((head.rtm_family != AF_INET && head.rtm_family != AF_INET6) || head.rtm_table != RT_TABLE_MAIN) return false;
  return head.rtm_protocol == k_route_protocol || (message.type == RTM_NEWROUTE && (message.flags & NLM_F_REPLACE) != 0);
}

// Neighbours that come and go with traffic are nobody's doing.
bool concerns_our_tunnel(const Message& message, const Listener& own) {
  if (message.type != RTM_NEWNEIGH && message.type != RTM_DELNEIGH) return false;
  if (message.payload.size() < sizeof(ndmsg) || own.overlay == 0 || (own.port != 0 && message.port == own.port)) return false;
  ndmsg head{};
  std::memcpy(&head, message.payload.data(), sizeof head);
  if (head.ndm_ifindex != own.overlay) return false;
  return message.type == RTM_DELNEIGH || head.ndm_family == AF_BRIDGE || (head.ndm_state & NUD_PERMANENT) != 0;
}

// net.ipv4.ip_forward is the one sysctl of ours that the kernel tells of. Each new interface makes such news too, of itself alone.
bool concerns_forwarding(const Message& message) {
  if (message.type != RTM_NEWNETCONF || message.payload.size() < NLMSG_ALIGN(sizeof(netconfmsg))) return false;
  const auto attributes = parse_attributes(message.payload.substr(NLMSG_ALIGN(sizeof(netconfmsg))));
  if (!attributes || find_attribute(*attributes, NETCONFA_FORWARDING).empty()) return false;
  return u32_of(find_attribute(*attributes, NETCONFA_IFINDEX)) == static_cast<std::uint32_t>(NETCONFA_IFINDEX_ALL);
}

// Takes all that is there, handing each message to `take`. True: some were lost, or could not be read.
template <class Take> Result<bool> drain(int fd, const Take& take) {
  bool lost = false;
  std::array<char, 32768> buffer{};
  for (;;) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return lost;
    if (got < 0 && errno != ENOBUFS) return from_errno("receive network events", errno);
    if (got < 0) {
      lost = true;
      continue;
    }
    const auto messages = parse_messages({buffer.data(), static_cast<std::size_t>(got)});
    if (!messages) {
      lost = true;
      continue;
    }
    for (const Message& message : *messages) take(message);
  }
}

// A burst that does not fit costs a look at everything.
Result<UniqueFd> subscribe_routes(std::uint32_t own_port, int buffer) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return from_errno("open a netlink socket", errno);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE |
                  1U << (RTNLGRP_IPV4_NETCONF - 1) | 1U << (RTNLGRP_IPV6_NETCONF - 1);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  // Before the first event: neighbours of other interfaces are none of ours.
  filter_events(fd.get(), own_port, 0);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return from_errno("subscribe to network events", errno);
  return fd;
}

// Empty where the kernel has no nftables: then there is no table of ours either.
UniqueFd subscribe_rules() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  const int group = NFNLGRP_NFTABLES;
  if (fd) (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &k_rules_buffer, sizeof k_rules_buffer);
  // A socket without an address hears nothing.
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return {};
  return fd;
}

// One descriptor for both: readable when either is.
Result<UniqueFd> gather(const UniqueFd& routes, const UniqueFd& rules) {
  UniqueFd both(::epoll_create1(EPOLL_CLOEXEC));
  if (!both) return from_errno("watch network events", errno);
  for (const UniqueFd* fd : {&routes, &rules}) {
    if (!*fd) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(both.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0) return from_errno("watch network events", errno);
  }
  return both;
}

}  // namespace

struct ChangeWatch::Impl {
  UniqueFd routes, rules;
  Listener own;
  asio::posix::stream_descriptor either;
  bool untold = false;  // changed() has still to tell of something
  bool untold_links = false;  // links are in it
  bool woken = false;   // its waiting was ended for that
  std::uint64_t filter_changes = 0;

  Status hear() {
    const auto lost = drain(routes.get(), [this](const Message& message) {
      untold_links = untold_links || concerns_our_links(message);
      untold = untold || concerns_our_routes(message, own.port) || concerns_our_tunnel(message, own) || concerns_forwarding(message);
    });
    if (!lost) return lost.error();
    untold_links = untold_links || *lost;
    untold = untold || untold_links;
    return hear_rules();
  }

  Status hear_rules() {
    if (!rules) return {};
    const auto lost = drain(rules.get(), [this](const Message& message) {
      untold = untold || concerns_our_rules(message.type, message.payload);
      if (may_change_filter(message.type, message.payload)) ++filter_changes;
    });
    if (!lost) return lost.error();
    untold = untold || *lost;
    filter_changes += *lost ? 1 : 0;
    return {};
  }
};

ChangeWatch::ChangeWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChangeWatch::~ChangeWatch() = default;
ChangeWatch::ChangeWatch(ChangeWatch&&) noexcept = default;
ChangeWatch& ChangeWatch::operator=(ChangeWatch&&) noexcept = default;

Result<ChangeWatch> ChangeWatch::open(asio::any_io_executor executor, std::uint32_t own_port, int buffer) {
  auto routes = subscribe_routes(own_port, buffer);
  if (!routes) return routes.error();
  UniqueFd rules = subscribe_rules();
  auto both = gather(*routes, rules);
  if (!both) return both.error();
  boost::system::error_code ec;
  asio::posix::stream_descriptor either(executor);
  either.assign(both->get(), ec);
  if (ec) return make_error(Errc::internal, "watching network events: " + ec.message());
  (void)both->release();
  return ChangeWatch(std::make_unique<Impl>(Impl{std::move(*routes), std::move(rules), {own_port, 0}, std::move(either)}));
}

void ChangeWatch::watch_overlay(int overlay) {
  if (impl_->own.overlay == overlay) return;
  impl_->own.overlay = overlay;
  filter_events(impl_->routes.get(), impl_->own.port, overlay);
}

std::optional<std::uint64_t> ChangeWatch::filter_changes() {
  if (!impl_->rules || !impl_->hear_rules()) return std::nullopt;
  // Who waits does so for what has just been taken.
  if (impl_->untold) {
    impl_->woken = true;
    boost::system::error_code ignored;
    impl_->either.cancel(ignored);
  }
  return impl_->filter_changes;
}

asio::awaitable<Result<NetworkNews>> ChangeWatch::changed() {
  for (;;) {
    if (const Status heard = impl_->hear(); !heard) co_return heard.error();
    const bool links = std::exchange(impl_->untold_links, false);
    if (std::exchange(impl_->untold, false)) co_return links ? NetworkNews::links : NetworkNews::rules;
    impl_->woken = false;
    const auto waited = co_await impl_->either.async_wait(asio::posix::stream_descriptor::wait_read,
                                                          asio::as_tuple(asio::use_awaitable));
    const boost::system::error_code ec = std::get<0>(waited);
    const asio::cancellation_state stopped = co_await asio::this_coro::cancellation_state;
    const bool only_woken = impl_->woken && stopped.cancelled() == asio::cancellation_type::none;
    if (ec == asio::error::operation_aborted && !only_woken)
      co_return make_error(Errc::canceled, "waiting for network events: canceled");
    if (ec && ec != asio::error::operation_aborted) co_return make_error(Errc::internal, "waiting for network events: " + ec.message());
  }
}

}  // namespace slipway::net
