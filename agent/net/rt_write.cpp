#include "agent/net/rt_write.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

namespace slipway::net {

namespace {

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string_view view_of(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

unsigned char family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

std::uint16_t flags_of(bool remove) {
  return static_cast<std::uint16_t>(NLM_F_REQUEST | (remove ? 0 : NLM_F_CREATE | NLM_F_REPLACE));
}

// In the order of NetworkStep's batched alternatives.
struct StepWriter {
  MessageWriter& writer;
  int overlay;
  std::uint32_t sequence;

  int resolved(int link) const { return link == k_overlay_to_come ? overlay : link; }

  void route(const MarkedRoute& route, bool remove) const {
    rtmsg head{};
    head.rtm_family = family_of(route.destination.base());
    head.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix_length());
    head.rtm_table = RT_TABLE_MAIN;
    head.rtm_protocol = k_route_protocol;
    head.rtm_type = route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST;
    // No ONLINK flag to a peer: the kernel must check that the gateway is a neighbour, or errors would show only as lost
    // packets.
    if (route.onlink) head.rtm_flags = RTNH_F_ONLINK;
    head.rtm_scope = remove ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
    writer.begin(remove ? RTM_DELROUTE : RTM_NEWROUTE, flags_of(remove), sequence, bytes_of(head));
    writer.attribute(RTA_DST, route.destination.base().bytes());
    writer.attribute_u32(RTA_PRIORITY, route.metric);
    if (route.gateway) gateway(*route.gateway, route.destination.is_v4());
    // The kernel finds a route to remove without it.
    if (route.source && !remove) writer.attribute(RTA_PREFSRC, route.source->bytes());
    const int link = resolved(route.link);
    if (!route.blackhole && link != 0) writer.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(link));
    writer.end();
  }

  void gateway(const IpAddress& address, bool v4) const {
    if (address.is_v4() == v4) return writer.attribute(RTA_GATEWAY, address.bytes());
    const auto family = static_cast<std::uint16_t>(family_of(address));
    writer.attribute(RTA_VIA, bytes_of(family) + address.bytes());  // struct rtvia
  }

  void neighbour(int link, const Neighbour& neighbour, bool remove) const {
    ndmsg head{};
    head.ndm_family = family_of(neighbour.address);
    head.ndm_ifindex = resolved(link);
    head.ndm_state = NUD_PERMANENT;
    writer.begin(remove ? RTM_DELNEIGH : RTM_NEWNEIGH, flags_of(remove), sequence, bytes_of(head));
    writer.attribute(NDA_DST, neighbour.address.bytes());
    if (!remove) {
      writer.attribute(NDA_LLADDR, view_of(neighbour.mac));
      // For people who look at the table; kernels before 5.0 skip it.
      writer.attribute(NDA_PROTOCOL, std::string(1, static_cast<char>(k_route_protocol)));
    }
    writer.end();
  }

  void forwarding(int link, const ForwardingEntry& entry, bool remove) const {
    ndmsg head{};
    head.ndm_family = AF_BRIDGE;
    head.ndm_ifindex = resolved(link);
    head.ndm_state = NUD_PERMANENT | NUD_NOARP;
    head.ndm_flags = NTF_SELF;
    writer.begin(remove ? RTM_DELNEIGH : RTM_NEWNEIGH, flags_of(remove), sequence, bytes_of(head));
    writer.attribute(NDA_LLADDR, view_of(entry.mac));
    if (entry.remote) writer.attribute(NDA_DST, entry.remote->bytes());
    writer.end();
  }

  void operator()(const PutRoute& s) const { route(s.route, false); }
  void operator()(const RemoveRoute& s) const { route(s.route, true); }
  void operator()(const PutNeighbour& s) const { neighbour(s.link, s.neighbour, false); }
  void operator()(const RemoveNeighbour& s) const { neighbour(s.link, s.neighbour, true); }
  void operator()(const PutForwarding& s) const { forwarding(s.link, s.entry, false); }
  void operator()(const RemoveForwarding& s) const { forwarding(s.link, s.entry, true); }
  template <class Other>
  void operator()(const Other&) const {}
};

bool removes(const NetworkStep& step) {
  return std::holds_alternative<RemoveRoute>(step) || std::holds_alternative<RemoveNeighbour>(step) ||
         std::holds_alternative<RemoveForwarding>(step);
}

bool is_gone(int error) {
  return error == ESRCH || error == ENOENT || error == ENODEV;
}

std::uint16_t create_flags() {
  return NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
}

}  // namespace

bool is_batched(const NetworkStep& step) {
  return removes(step) || std::holds_alternative<PutRoute>(step) || std::holds_alternative<PutNeighbour>(step) ||
         std::holds_alternative<PutForwarding>(step);
}

void write_step(MessageWriter& writer, const NetworkStep& step, int overlay, std::uint32_t sequence) {
  std::visit(StepWriter{writer, overlay, sequence}, step);
}

Status status_of(const Ack& ack, const NetworkStep& step) {
  if (ack.error == 0 || (removes(step) && is_gone(ack.error))) return {};
  const std::string doing = describe(step);
  const std::string words = ack.text.empty() ? "" : " (kernel: " + ack.text + ")";
  const auto* put = std::get_if<PutRoute>(&step);
  switch (ack.error) {
    case EINVAL:
    case ENETUNREACH:
    case EHOSTUNREACH:
      if (put == nullptr || !put->route.gateway || put->route.onlink) break;
      return make_error(Errc::unavailable, doing + ": " + put->route.gateway->to_string() + " is not directly reachable" + words +
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

void write_overlay(MessageWriter& writer, const PutOverlay& put, std::uint32_t sequence) {
  const VxlanConfig& config = put.config;
  const std::uint16_t port = htons(config.port);
  const char off = 0;
  std::string data = attribute_bytes(IFLA_VXLAN_ID, bytes_of(config.id));
  if (config.underlay != 0) data += attribute_bytes(IFLA_VXLAN_LINK, bytes_of(config.underlay));
  if (config.local) data += attribute_bytes(config.local->is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, config.local->bytes());
  data += attribute_bytes(IFLA_VXLAN_PORT, bytes_of(port));
  data += attribute_bytes(IFLA_VXLAN_LEARNING, bytes_of(off));
  const std::string info = attribute_bytes(IFLA_INFO_KIND, "vxlan") + attribute_bytes(IFLA_INFO_DATA | NLA_F_NESTED, data);
  writer.begin(RTM_NEWLINK, create_flags(), sequence, bytes_of(ifinfomsg{}));
  writer.attribute(IFLA_IFNAME, std::string(k_overlay_device) + '\0');
  // Given with the device: udev gives another one to a device that was made without.
  writer.attribute(IFLA_ADDRESS, view_of(put.mac));
  writer.attribute_u32(IFLA_MTU, static_cast<std::uint32_t>(put.mtu));
  writer.attribute(IFLA_LINKINFO | NLA_F_NESTED, info);
  writer.end();
}

void write_no_own_address(MessageWriter& writer, int link, std::uint32_t sequence) {
  constexpr std::uint8_t k_none = 1;  // IN6_ADDR_GEN_MODE_NONE
  ifinfomsg head{};
  head.ifi_index = link;
  const std::string v6 = attribute_bytes(IFLA_INET6_ADDR_GEN_MODE, bytes_of(k_none));
  writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, bytes_of(head));
  writer.attribute(IFLA_AF_SPEC | NLA_F_NESTED, attribute_bytes(AF_INET6 | NLA_F_NESTED, v6));
  writer.end();
}

void write_mend(MessageWriter& writer, const MendOverlay& mend, std::uint32_t sequence) {
  ifinfomsg head{};
  head.ifi_index = mend.index;
  if (mend.up) head.ifi_flags = head.ifi_change = IFF_UP;
  writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, bytes_of(head));
  if (mend.mac) writer.attribute(IFLA_ADDRESS, view_of(*mend.mac));
  if (mend.mtu) writer.attribute_u32(IFLA_MTU, static_cast<std::uint32_t>(*mend.mtu));
  writer.end();
}

void write_address(MessageWriter& writer, int link, const LinkAddress& address, bool remove,
                   std::uint32_t sequence) {
  ifaddrmsg head{};
  head.ifa_family = family_of(address.address);
  head.ifa_prefixlen = static_cast<unsigned char>(address.prefix_length);
  head.ifa_scope = RT_SCOPE_UNIVERSE;
  head.ifa_index = static_cast<unsigned>(link);
  const auto flags = static_cast<std::uint16_t>(flags_of(remove) | NLM_F_ACK);
  writer.begin(remove ? RTM_DELADDR : RTM_NEWADDR, flags, sequence, bytes_of(head));
  writer.attribute(IFA_LOCAL, address.address.bytes());
  writer.attribute(IFA_ADDRESS, address.address.bytes());
  // Nobody is asked whether the address is taken: on the tunnel there is nobody, and link_hop.hpp's follow
  // from addresses that are not.
  const bool alone = address.prefix_length == address.address.bits();
  if (!remove) writer.attribute_u32(IFA_FLAGS, IFA_F_NODAD | (alone ? IFA_F_NOPREFIXROUTE : 0));
  writer.end();
}

}  // namespace slipway::net
