#include "agent/net/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

namespace slipway::net {

namespace {

constexpr std::size_t k_batch = 400;         // messages a sendmsg: measured, more gains nothing
constexpr std::size_t k_careful_batch = 16;  // after answers were lost for want of buffer
constexpr int k_buffer = 4 << 20;  // bytes; 400 refused routes answer with about 400 kB of kernel memory
constexpr int k_dump_tries = 10;
constexpr unsigned k_lower_up = 1U << 16;             // IFF_LOWER_UP, which net/if.h has not got
constexpr std::uint32_t k_skip_statistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
T head_of(std::string_view payload) {
  T value{};
  std::memcpy(&value, payload.data(), std::min(sizeof value, payload.size()));
  return value;
}

void set_option(int fd, int level, int name, int value) {
  // Each is an improvement that older kernels or fewer rights do without.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

std::string_view family_body(std::string_view payload, std::size_t header) {
  return payload.size() > header ? payload.substr(header) : std::string_view();
}

std::string begin_text(const MarkedRoute& route, bool remove) {
  return describe(remove ? NetworkStep{RemoveRoute{route}} : NetworkStep{PutRoute{route, ""}});
}

Status status_of(const Ack& ack, const RouteChange& change) {
  if (ack.error == 0 || (change.remove && ack.error == ESRCH)) return {};
  const std::string doing = begin_text(change.route, change.remove);
  const std::string words = ack.text.empty() ? "" : " (kernel: " + ack.text + ")";
  switch (ack.error) {
    case EINVAL:
    case ENETUNREACH:
    case EHOSTUNREACH:
      if (change.remove || !change.route.gateway) break;
      return make_error(Errc::unavailable, doing + ": " + change.route.gateway->to_string() +
                                               " is not directly reachable" + words +
                                               ": host-gw needs all nodes on one layer 2 network");
    case ENETDOWN:
      return make_error(Errc::unavailable, doing + ": the interface is down");
    case ENODEV:
      return make_error(Errc::unavailable, doing + ": the interface is gone");
    default:
      break;
  }
  Error error = from_errno(doing, ack.error);
  error.message += words;
  return error;
}

void write_change(MessageWriter& writer, const RouteChange& change, std::uint32_t sequence) {
  const MarkedRoute& route = change.route;
  rtmsg head{};
  head.rtm_family = AF_INET;
  head.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix_length());
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = k_route_protocol;
  head.rtm_type = route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST;
  // No ONLINK flag: the kernel must check that the gateway is a neighbour, or errors would show only as lost
  // packets.
  head.rtm_scope = change.remove ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
  const int flags = NLM_F_REQUEST | (change.remove ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
  writer.begin(change.remove ? RTM_DELROUTE : RTM_NEWROUTE, static_cast<std::uint16_t>(flags), sequence,
               bytes_of(head));
  writer.attribute(RTA_DST, route.destination.base().bytes());
  writer.attribute_u32(RTA_PRIORITY, route.metric);
  if (route.gateway) writer.attribute(RTA_GATEWAY, route.gateway->bytes());
  if (!route.blackhole && route.link != 0)
    writer.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(route.link));
  writer.end();
}

Result<NetworkLink> read_link(const Message& message) {
  const auto head = head_of<ifinfomsg>(message.payload);
  const auto attributes = parse_attributes(family_body(message.payload, NLMSG_ALIGN(sizeof head)));
  if (!attributes) return attributes.error();
  NetworkLink link;
  link.index = head.ifi_index;
  link.up = (head.ifi_flags & IFF_UP) != 0;
  link.carrier = (head.ifi_flags & k_lower_up) != 0;
  const std::string_view name = find_attribute(*attributes, IFLA_IFNAME);
  link.name = name.substr(0, name.find('\0'));
  link.mtu = static_cast<int>(u32_of(find_attribute(*attributes, IFLA_MTU)));
  link.master = static_cast<int>(u32_of(find_attribute(*attributes, IFLA_MASTER)));
  return link;
}

Result<MarkedRoute> read_route(const Message& message) {
  const auto head = head_of<rtmsg>(message.payload);
  const auto attributes = parse_attributes(family_body(message.payload, NLMSG_ALIGN(sizeof head)));
  if (!attributes) return attributes.error();
  MarkedRoute route;
  const std::string_view base = find_attribute(*attributes, RTA_DST);
  const auto address = base.empty() ? std::optional(IpAddress()) : IpAddress::from_bytes(base);
  if (!address) return make_error(Errc::corrupt, "route with a destination of the wrong size");
  auto destination = Cidr::make(*address, head.rtm_dst_len);
  if (!destination) return destination.error();
  route.destination = *destination;
  route.gateway = IpAddress::from_bytes(find_attribute(*attributes, RTA_GATEWAY));
  route.metric = u32_of(find_attribute(*attributes, RTA_PRIORITY));
  route.blackhole = head.rtm_type == RTN_BLACKHOLE;
  if (!route.blackhole) route.link = static_cast<int>(u32_of(find_attribute(*attributes, RTA_OIF)));
  return route;
}

bool is_marked(const Message& message) {
  const auto head = head_of<rtmsg>(message.payload);
  // Also on kernels that do not filter dumps.
  return message.payload.size() >= sizeof head && message.type == RTM_NEWROUTE &&
         head.rtm_family == AF_INET && head.rtm_table == RT_TABLE_MAIN &&
         head.rtm_protocol == k_route_protocol && (head.rtm_flags & RTM_F_CLONED) == 0;
}

}  // namespace

Result<Rtnetlink> Rtnetlink::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return from_errno("open a netlink socket", errno);
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, k_buffer);
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, k_buffer);
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  const timeval patience{5, 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
    return from_errno("set the netlink timeout", errno);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return from_errno("bind the netlink socket", errno);
  return Rtnetlink(std::move(fd));
}

Result<std::string> Rtnetlink::receive() {
  std::string buffer(64 * 1024, '\0');  // the kernel fills at most 32 kB a packet
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN)
      return make_error(Errc::timeout, "no answer from the kernel over netlink in 5 seconds");
    if (got < 0 && errno == ENOBUFS) return make_error(Errc::exhausted, "netlink answers were lost");
    if (got < 0) return from_errno("receive from netlink", errno);
    if (static_cast<std::size_t>(got) > buffer.size())
      return make_error(Errc::corrupt, "netlink packet cut short");
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
  }
}

Status Rtnetlink::send(std::string_view bytes) {
  for (;;) {
    if (::send(fd_.get(), bytes.data(), bytes.size(), 0) >= 0) return {};
    if (errno != EINTR) return from_errno("send to netlink", errno);
  }
}

Result<bool> Rtnetlink::dump_once(std::uint32_t sequence, const Visitor& visit) {
  bool consistent = true;
  for (;;) {
    auto packet = receive();
    if (!packet && packet.error().code == Errc::exhausted) return false;
    if (!packet) return packet.error();
    auto messages = parse_messages(*packet);
    if (!messages) return messages.error();
    for (const Message& message : *messages) {
      if (message.sequence != sequence) continue;  // of a dump given up before
      if ((message.flags & NLM_F_DUMP_INTR) != 0) consistent = false;
      if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
        const Ack ack = parse_ack(message);
        // A namespace without any route has no table yet.
        if (ack.error == 0 || ack.error == ENOENT) return consistent;
        return from_errno("list over netlink" + (ack.text.empty() ? "" : " (" + ack.text + ")"), ack.error);
      }
      if (auto visited = visit(message); !visited) return visited.error();
    }
  }
}

Status Rtnetlink::dump(std::uint16_t type, const std::string& header, std::uint16_t attribute,
                       std::uint32_t value, const std::function<void()>& restart, const Visitor& visit) {
  for (int i = 0; i < k_dump_tries; ++i) {
    MessageWriter writer;
    writer.begin(type, NLM_F_REQUEST | NLM_F_DUMP, ++sequence_, header);
    if (attribute != 0) writer.attribute_u32(attribute, value);
    writer.end();
    restart();
    if (auto sent = send(writer.bytes()); !sent) return sent.error();
    const auto consistent = dump_once(sequence_, visit);
    if (!consistent) return consistent.error();
    if (*consistent) return {};
  }
  return make_error(Errc::unavailable,
                    "listing over netlink: the network changes faster than it can be read");
}

Result<std::vector<NetworkLink>> Rtnetlink::links() {
  std::vector<NetworkLink> out;
  const auto visit = [&out](const Message& message) -> Status {
    if (message.type != RTM_NEWLINK) return {};
    auto link = read_link(message);
    if (!link) return link.error();
    out.push_back(std::move(*link));
    return {};
  };
  const auto restart = [&out] { out.clear(); };
  auto status = dump(RTM_GETLINK, bytes_of(ifinfomsg{}), IFLA_EXT_MASK, k_skip_statistics, restart, visit);
  if (!status) return error_of(status, "reading the interfaces");
  if (auto added = add_addresses(out); !added) return error_of(added, "reading the addresses");
  return out;
}

Status Rtnetlink::add_addresses(std::vector<NetworkLink>& links) {
  std::map<int, NetworkLink*> by_index;
  for (NetworkLink& link : links) by_index[link.index] = &link;
  const auto visit = [&by_index](const Message& message) -> Status {
    const auto head = head_of<ifaddrmsg>(message.payload);
    const auto link = by_index.find(static_cast<int>(head.ifa_index));
    if (message.type != RTM_NEWADDR || link == by_index.end()) return {};
    const auto attributes = parse_attributes(family_body(message.payload, NLMSG_ALIGN(sizeof head)));
    if (!attributes) return attributes.error();
    // On a point-to-point link IFA_ADDRESS is the other end's.
    std::string_view own = find_attribute(*attributes, IFA_LOCAL);
    if (own.empty()) own = find_attribute(*attributes, IFA_ADDRESS);
    if (const auto address = IpAddress::from_bytes(own))
      link->second->addresses.push_back({*address, head.ifa_prefixlen});
    return {};
  };
  const auto restart = [&links] {
    for (NetworkLink& link : links) link.addresses.clear();
  };
  return dump(RTM_GETADDR, bytes_of(ifaddrmsg{}), 0, 0, restart, visit);
}

Result<std::vector<MarkedRoute>> Rtnetlink::marked_routes() {
  std::vector<MarkedRoute> out;
  const auto visit = [&out](const Message& message) -> Status {
    if (!is_marked(message)) return {};
    auto route = read_route(message);
    if (!route) return route.error();
    out.push_back(*route);
    return {};
  };
  rtmsg filter{};
  filter.rtm_family = AF_INET;
  filter.rtm_table = RT_TABLE_MAIN;
  filter.rtm_protocol = k_route_protocol;
  const auto restart = [&out] { out.clear(); };
  auto status = dump(RTM_GETROUTE, bytes_of(filter), 0, 0, restart, visit);
  if (!status) return error_of(status, "reading the routes");
  return out;
}

std::vector<Status> Rtnetlink::change_routes(const std::vector<RouteChange>& changes) {
  std::vector<Status> out(changes.size());
  std::size_t step = k_batch;
  for (std::size_t first = 0; first < changes.size();) {
    const std::size_t last = std::min(changes.size(), first + step);
    const Status sent = change_batch(changes, first, last, out);
    // Every change can be asked for twice: when answers were lost, ask again for fewer at a time.
    if (!sent && sent.error().code == Errc::exhausted && step > k_careful_batch) {
      step = k_careful_batch;
      continue;
    }
    if (!sent)
      for (std::size_t i = first; i < last; ++i)
        out[i] = context(sent.error(), begin_text(changes[i].route, changes[i].remove));
    first = last;
  }
  return out;
}

Status Rtnetlink::change_batch(const std::vector<RouteChange>& changes, std::size_t first, std::size_t last,
                               std::vector<Status>& out) {
  MessageWriter writer;
  const std::uint32_t base = sequence_ + 1;
  for (std::size_t i = first; i < last; ++i) write_change(writer, changes[i], ++sequence_);
  // The kernel works in order and answers failures always: an answer to the last one ends the batch.
  writer.add_flags(NLM_F_ACK);
  for (std::size_t i = first; i < last; ++i) out[i] = Status{};
  if (auto sent = send(writer.bytes()); !sent) return sent.error();
  for (;;) {
    auto packet = receive();
    if (!packet) return packet.error();
    auto messages = parse_messages(*packet);
    if (!messages) return messages.error();
    for (const Message& message : *messages) {
      const std::size_t offset = message.sequence - base;
      if (message.type != NLMSG_ERROR || offset >= last - first) continue;
      out[first + offset] = status_of(parse_ack(message), changes[first + offset]);
      if (message.sequence == sequence_) return {};
    }
  }
}

Status Rtnetlink::request(const MessageWriter& writer, std::uint32_t sequence, std::string_view doing) {
  if (auto sent = send(writer.bytes()); !sent) return error_of(sent, doing);
  for (;;) {
    auto packet = receive();
    if (!packet) return error_of(packet, doing);
    auto messages = parse_messages(*packet);
    if (!messages) return error_of(messages, doing);
    for (const Message& message : *messages) {
      if (message.type != NLMSG_ERROR || message.sequence != sequence) continue;
      const Ack ack = parse_ack(message);
      if (ack.error == 0) return {};
      return from_errno(doing, ack.error);
    }
  }
}

std::uint32_t Rtnetlink::port() const {
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  return ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 ? own.nl_pid : 0;
}

Status Rtnetlink::remove_link(int index) {
  ifinfomsg head{};
  head.ifi_index = index;
  MessageWriter writer;
  writer.begin(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, ++sequence_, bytes_of(head));
  writer.end();
  return request(writer, sequence_, "remove interface " + std::to_string(index));
}

Result<IpAddress> source_address(const IpAddress& remote) {
  UniqueFd fd(::socket(remote.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return from_errno("open a socket", errno);
  sockaddr_storage where{};
  socklen_t size = 0;
  const std::string bytes = remote.bytes();
  if (remote.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&where);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(9);  // no packet is sent
    std::memcpy(&v4->sin_addr, bytes.data(), 4);
    size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&where);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(9);
    std::memcpy(&v6->sin6_addr, bytes.data(), 16);
    size = sizeof *v6;
  }
  auto* address = reinterpret_cast<sockaddr*>(&where);
  if (::connect(fd.get(), address, size) != 0)
    return from_errno("find a route to " + remote.to_string(), errno);
  if (::getsockname(fd.get(), address, &size) != 0) return from_errno("read the own address", errno);
  const char* own = remote.is_v4()
                        ? reinterpret_cast<const char*>(&reinterpret_cast<sockaddr_in*>(&where)->sin_addr)
                        : reinterpret_cast<const char*>(&reinterpret_cast<sockaddr_in6*>(&where)->sin6_addr);
  const auto found = IpAddress::from_bytes({own, bytes.size()});
  if (!found) return make_error(Errc::internal, "own address of a wrong size");
  return *found;
}

}  // namespace slipway::net
