#include "agent/net/rtnetlink.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "agent/net/rt_read.hpp"
#include "agent/net/rt_write.hpp"

namespace slipway::net {

namespace {

constexpr std::size_t k_batch = 400;         // messages a sendmsg: measured, more gains nothing
constexpr std::size_t k_careful_batch = 16;  // after answers were lost for want of buffer
constexpr int k_buffer = 4 << 20;  // bytes; 400 refused routes answer with about 400 kB of kernel memory
constexpr int k_dump_tries = 10;
constexpr std::uint32_t k_skip_statistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void set_option(int fd, int level, int name, int value) {
  // Each is an improvement that older kernels or fewer rights do without.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
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

Status Rtnetlink::dump(std::uint16_t type, const DumpFilter& filter, const std::function<void()>& restart,
                       const Visitor& visit) {
  for (int i = 0; i < k_dump_tries; ++i) {
    MessageWriter writer;
    writer.begin(type, NLM_F_REQUEST | NLM_F_DUMP, ++sequence_, filter.header);
    if (filter.attribute != 0) writer.attribute_u32(filter.attribute, filter.value);
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

template <class T, class Read>
Status Rtnetlink::dump_into(std::vector<T>& out, std::uint16_t type, const DumpFilter& filter, const Read& read) {
  const std::size_t before = out.size();
  const auto visit = [&out, &read](const Message& message) -> Status {
    auto one = read(message);
    if (!one) return one.error();
    if (*one) out.push_back(std::move(**one));
    return {};
  };
  return dump(type, filter, [&out, before] { out.resize(before); }, visit);
}

Result<std::vector<NetworkLink>> Rtnetlink::links() {
  std::vector<NetworkLink> out;
  auto status = dump_into(out, RTM_GETLINK, {bytes_of(ifinfomsg{}), IFLA_EXT_MASK, k_skip_statistics}, read_link);
  if (!status) return error_of(status, "reading the interfaces");
  if (auto added = add_addresses(out); !added) return error_of(added, "reading the addresses");
  return out;
}

Status Rtnetlink::add_addresses(std::vector<NetworkLink>& links) {
  std::vector<FoundAddress> found;
  auto status = dump_into(found, RTM_GETADDR, {bytes_of(ifaddrmsg{})}, read_address);
  if (!status) return status;
  std::map<int, NetworkLink*> by_index;
  for (NetworkLink& link : links) by_index[link.index] = &link;
  for (const FoundAddress& one : found) {
    const auto link = by_index.find(one.link);
    if (link == by_index.end()) continue;
    link->second->addresses.push_back(one.address);
    if (link->second->v6 && one.learnt) link->second->v6->learnt = true;
  }
  return {};
}

Status Rtnetlink::mark_learnt(std::vector<NetworkLink>& links) {
  rtmsg filter{};
  filter.rtm_family = AF_INET6;
  filter.rtm_table = RT_TABLE_MAIN;
  filter.rtm_protocol = RTPROT_RA;
  std::vector<int> indices;
  auto status = dump_into(indices, RTM_GETROUTE, {bytes_of(filter)}, read_learnt_route);
  if (!status) return error_of(status, "reading the routes from routers");
  for (NetworkLink& link : links)
    if (link.v6 && std::find(indices.begin(), indices.end(), link.index) != indices.end())
      link.v6->learnt = true;
  return {};
}

Status Rtnetlink::mark_connected(NetworkLink& link) {
  std::vector<Cidr> reached;
  for (const int family : {AF_INET, AF_INET6}) {
    const auto of_family = [family](const LinkAddress& one) { return one.address.is_v4() == (family == AF_INET); };
    if (std::none_of(link.addresses.begin(), link.addresses.end(), of_family)) continue;
    rtmsg filter{};
    filter.rtm_family = static_cast<unsigned char>(family);
    filter.rtm_table = RT_TABLE_MAIN;
    const auto read = [index = link.index](const Message& message) { return read_connected_route(message, index); };
    auto status = dump_into(reached, RTM_GETROUTE, {bytes_of(filter), RTA_OIF, static_cast<std::uint32_t>(link.index)}, read);
    if (!status) return error_of(status, "reading the routes to " + link.name);
  }
  for (LinkAddress& own : link.addresses) {
    own.connected = std::any_of(reached.begin(), reached.end(), [&own](const Cidr& block) {
      return block.prefix_length() == own.prefix_length && block.contains(own.address);
    });
  }
  return {};
}

Result<std::vector<MarkedRoute>> Rtnetlink::marked_routes() {
  std::vector<MarkedRoute> out;
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg filter{};
    filter.rtm_family = static_cast<unsigned char>(family);
    filter.rtm_table = RT_TABLE_MAIN;
    filter.rtm_protocol = k_route_protocol;
    const auto read = [family](const Message& message) -> Result<std::optional<MarkedRoute>> {
      // A kernel without IPv6 answers with every family's.
      if (message.payload.empty() || message.payload[0] != static_cast<char>(family)) return std::optional<MarkedRoute>();
      return read_marked_route(message);
    };
    auto status = dump_into(out, RTM_GETROUTE, {bytes_of(filter)}, read);
    if (!status) return error_of(status, "reading the routes");
  }
  return out;
}

Result<std::vector<Neighbour>> Rtnetlink::neighbours(int link) {
  std::vector<Neighbour> out;
  for (const int family : {AF_INET, AF_INET6}) {
    ndmsg filter{};
    filter.ndm_family = static_cast<unsigned char>(family);
    const auto read = [family, link](const Message& message) -> Result<std::optional<Neighbour>> {
      if (message.payload.empty() || message.payload[0] != static_cast<char>(family)) return std::optional<Neighbour>();
      return read_neighbour(message, link);
    };
    auto status = dump_into(out, RTM_GETNEIGH, {bytes_of(filter), NDA_IFINDEX, static_cast<std::uint32_t>(link)}, read);
    if (!status) return error_of(status, "reading the neighbours");
  }
  return out;
}

Result<std::vector<ForwardingEntry>> Rtnetlink::forwarding(int link) {
  std::vector<ForwardingEntry> out;
  ndmsg filter{};
  filter.ndm_family = AF_BRIDGE;
  filter.ndm_ifindex = link;
  auto status = dump_into(out, RTM_GETNEIGH, {bytes_of(filter)},
                          [link](const Message& message) { return read_forwarding(message, link); });
  if (!status) return error_of(status, "reading the forwarding entries");
  return out;
}

void Rtnetlink::change(const std::vector<NetworkStep>& steps, std::size_t first, std::size_t last, int overlay,
                       std::vector<Status>& out) {
  std::size_t size = k_batch;
  while (first < last) {
    const std::size_t end = std::min(last, first + size);
    const Status sent = change_batch(steps, first, end, overlay, out);
    // Every change can be asked for twice: when answers were lost, ask again for fewer at a time.
    if (!sent && sent.error().code == Errc::exhausted && size > k_careful_batch) {
      size = k_careful_batch;
      continue;
    }
    if (!sent)
      for (std::size_t i = first; i < end; ++i) out[i] = context(sent.error(), describe(steps[i]));
    first = end;
  }
}

Status Rtnetlink::change_batch(const std::vector<NetworkStep>& steps, std::size_t first, std::size_t last, int overlay,
                               std::vector<Status>& out) {
  MessageWriter writer;
  const std::uint32_t base = sequence_ + 1;
  for (std::size_t i = first; i < last; ++i) write_step(writer, steps[i], overlay, ++sequence_);
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
      out[first + offset] = status_of(parse_ack(message), steps[first + offset]);
      if (message.sequence == sequence_) return {};
    }
  }
}

Result<Ack> Rtnetlink::ask(const MessageWriter& writer, std::uint32_t sequence) {
  if (auto sent = send(writer.bytes()); !sent) return sent.error();
  for (;;) {
    auto packet = receive();
    if (!packet) return packet.error();
    auto messages = parse_messages(*packet);
    if (!messages) return messages.error();
    for (const Message& message : *messages)
      if (message.type == NLMSG_ERROR && message.sequence == sequence) return parse_ack(message);
  }
}

Status Rtnetlink::request(const MessageWriter& writer, std::uint32_t sequence, std::string_view doing) {
  const auto ack = ask(writer, sequence);
  if (!ack) return error_of(ack, doing);
  if (ack->error == 0) return {};
  Error error = from_errno(doing, ack->error);
  if (!ack->text.empty()) error.message += " (kernel: " + ack->text + ")";
  return error;
}

std::uint32_t Rtnetlink::port() const {
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  return ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 ? own.nl_pid : 0;
}

Result<int> Rtnetlink::make_overlay(const PutOverlay& put) {
  const std::string doing = describe(NetworkStep{put});
  MessageWriter writer;
  write_overlay(writer, put, ++sequence_);
  if (auto done = request(writer, sequence_, doing); !done) return done.error();
  const auto all = links();
  if (!all) return error_of(all, doing);
  const auto made = std::find_if(all->begin(), all->end(), [](const NetworkLink& link) { return link.name == k_overlay_device; });
  if (made == all->end()) return make_error(Errc::unavailable, doing + ": it was removed at once");
  writer.clear();
  write_no_own_address(writer, made->index, ++sequence_);
  // A kernel without IPv6 refuses it, and gives no address either.
  if (const auto answer = ask(writer, sequence_); !answer) return error_of(answer, doing);
  return made->index;
}

Status Rtnetlink::mend_overlay(const MendOverlay& mend) {
  MessageWriter writer;
  write_mend(writer, mend, ++sequence_);
  return request(writer, sequence_, describe(NetworkStep{mend}));
}

Status Rtnetlink::put_address(int link, const LinkAddress& address, const std::string& doing) {
  MessageWriter writer;
  write_address(writer, link, address, false, ++sequence_);
  return request(writer, sequence_, doing);
}

Status Rtnetlink::remove_address(int link, const LinkAddress& address, const std::string& doing) {
  MessageWriter writer;
  write_address(writer, link, address, true, ++sequence_);
  const auto answer = ask(writer, sequence_);
  if (!answer) return error_of(answer, doing);
  const bool gone = answer->error == EADDRNOTAVAIL || answer->error == ENODEV;
  return answer->error == 0 || gone ? Status() : from_errno(doing, answer->error);
}

Status Rtnetlink::remove_link(int index) {
  ifinfomsg head{};
  head.ifi_index = index;
  MessageWriter writer;
  writer.begin(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, ++sequence_, bytes_of(head));
  writer.end();
  const std::string doing = "remove interface " + std::to_string(index);
  const auto answer = ask(writer, sequence_);
  if (!answer) return error_of(answer, doing);
  return answer->error == 0 || answer->error == ENODEV ? Status() : from_errno(doing, answer->error);
}

}  // namespace slipway::net
