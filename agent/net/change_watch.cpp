#include "agent/net/change_watch.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "agent/net/nl_message.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace asio = boost::asio;

namespace {

// A port of a bridge is a pod's end: each pod makes a handful of events that concern no route of ours.
bool concerns_us(const Message& message) {
  if (message.type == RTM_NEWADDR || message.type == RTM_DELADDR) return true;
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return false;
  if (message.payload.size() < sizeof(ifinfomsg) || message.payload[0] != 0)
    return false;  // AF_BRIDGE port news
  const auto attributes = parse_attributes(message.payload.substr(NLMSG_ALIGN(sizeof(ifinfomsg))));
  return attributes && find_attribute(*attributes, IFLA_MASTER).empty();
}

// Takes all that is there. Lost events are a change.
Result<bool> drain(int fd) {
  bool changed = false;
  std::array<char, 32768> buffer{};
  for (;;) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return changed;
    if (got < 0 && errno != ENOBUFS) return from_errno("receive network events", errno);
    if (got < 0) {
      changed = true;
      continue;
    }
    const auto messages = parse_messages({buffer.data(), static_cast<std::size_t>(got)});
    if (!messages)
      changed = true;
    else
      for (const Message& message : *messages) changed = changed || concerns_us(message);
  }
}

}  // namespace

struct ChangeWatch::Impl {
  asio::posix::stream_descriptor socket;
};

ChangeWatch::ChangeWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChangeWatch::~ChangeWatch() = default;
ChangeWatch::ChangeWatch(ChangeWatch&&) noexcept = default;
ChangeWatch& ChangeWatch::operator=(ChangeWatch&&) noexcept = default;

Result<ChangeWatch> ChangeWatch::open(asio::any_io_executor executor) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return from_errno("open a netlink socket", errno);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return from_errno("subscribe to network events", errno);
  boost::system::error_code ec;
  asio::posix::stream_descriptor socket(executor);
  socket.assign(fd.get(), ec);
  if (ec) return make_error(Errc::internal, "watching network events: " + ec.message());
  (void)fd.release();
  return ChangeWatch(std::make_unique<Impl>(Impl{std::move(socket)}));
}

asio::awaitable<Status> ChangeWatch::changed() {
  for (;;) {
    const auto changed = drain(impl_->socket.native_handle());
    if (!changed) co_return changed.error();
    if (*changed) co_return Status{};
    const auto waited = co_await impl_->socket.async_wait(asio::posix::stream_descriptor::wait_read,
                                                          asio::as_tuple(asio::use_awaitable));
    const boost::system::error_code ec = std::get<0>(waited);
    if (ec == asio::error::operation_aborted)
      co_return make_error(Errc::canceled, "waiting for network events: canceled");
    if (ec) co_return make_error(Errc::internal, "waiting for network events: " + ec.message());
  }
}

}  // namespace slipway::net
