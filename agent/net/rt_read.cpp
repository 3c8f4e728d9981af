#include "agent/net/rt_read.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

namespace slipway::net {

namespace {

constexpr unsigned k_lower_up = 1U << 16;  // IFF_LOWER_UP, which net/if.h has not got

template <class T>
struct Body {
  T head{};
  std::vector<Attribute> attributes;
};

template <class T>
Result<Body<T>> body_of(const Message& message) {
  if (message.payload.size() < sizeof(T)) return make_error(Errc::corrupt, "netlink message without its header");
  Body<T> body;
  std::memcpy(&body.head, message.payload.data(), sizeof(T));
  const std::size_t skip = std::min(message.payload.size(), static_cast<std::size_t>(NLMSG_ALIGN(sizeof(T))));
  auto attributes = parse_attributes(message.payload.substr(skip));
  if (!attributes) return attributes.error();
  body.attributes = std::move(*attributes);
  return body;
}

MacAddress mac_of(std::string_view data) {
  MacAddress mac{};
  if (data.size() == mac.size()) std::memcpy(mac.data(), data.data(), mac.size());
  return mac;
}

bool flag_of(const std::vector<Attribute>& attributes, std::uint16_t type) {
  const std::string_view data = find_attribute(attributes, type);
  return data.size() == 1 && data[0] != 0;
}

// Attributes without data: there or not.
bool has(const std::vector<Attribute>& attributes, std::uint16_t type) {
  return std::any_of(attributes.begin(), attributes.end(), [type](const Attribute& one) { return one.type == type; });
}

bool is_some_address(std::string_view data) {
  return std::any_of(data.begin(), data.end(), [](char byte) { return byte != 0; });
}

std::optional<IpAddress> local_of(const std::vector<Attribute>& data) {
  for (const std::uint16_t type : {IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6})
    if (const std::string_view bytes = find_attribute(data, type); is_some_address(bytes)) return IpAddress::from_bytes(bytes);
  return std::nullopt;
}

Result<std::optional<VxlanConfig>> read_vxlan(std::string_view link_info) {
  const auto info = parse_attributes(link_info);
  if (!info) return info.error();
  const std::string_view kind = find_attribute(*info, IFLA_INFO_KIND);
  if (kind.substr(0, kind.find('\0')) != "vxlan") return std::optional<VxlanConfig>();
  const auto data = parse_attributes(find_attribute(*info, IFLA_INFO_DATA));
  if (!data) return data.error();
  VxlanConfig config;
  config.id = u32_of(find_attribute(*data, IFLA_VXLAN_ID));
  const std::string_view port = find_attribute(*data, IFLA_VXLAN_PORT);
  if (port.size() == 2) {
    std::uint16_t network_order = 0;
    std::memcpy(&network_order, port.data(), sizeof network_order);
    config.port = ntohs(network_order);
  }
  config.underlay = static_cast<int>(u32_of(find_attribute(*data, IFLA_VXLAN_LINK)));
  config.local = local_of(*data);
  config.learning = flag_of(*data, IFLA_VXLAN_LEARNING);
  config.extended = flag_of(*data, IFLA_VXLAN_COLLECT_METADATA) || has(*data, IFLA_VXLAN_GBP) || has(*data, IFLA_VXLAN_GPE) ||
                    is_some_address(find_attribute(*data, IFLA_VXLAN_GROUP)) ||
                    is_some_address(find_attribute(*data, IFLA_VXLAN_GROUP6));
  return std::optional(config);
}

// What the kernel tells of a link's IPv6 beside it: the values of net.ipv6.conf.<interface>, by number.
Result<std::optional<LinkIpv6>> read_ipv6(std::string_view families) {
  const auto by_family = parse_attributes(families);
  if (!by_family) return by_family.error();
  const auto v6 = parse_attributes(find_attribute(*by_family, AF_INET6));
  if (!v6) return v6.error();
  const std::string_view values = find_attribute(*v6, IFLA_INET6_CONF);
  const auto value = [values](std::size_t number) {
    return u32_of(values.substr(std::min(values.size(), number * 4), 4));
  };
  if (values.empty()) return std::optional<LinkIpv6>();
  return std::optional(LinkIpv6{value(DEVCONF_DISABLE_IPV6) != 0, value(DEVCONF_ACCEPT_RA), false});
}

// Its own family's, or the other one's (RTA_VIA: the family in two bytes before it).
std::optional<IpAddress> gateway_of(const std::vector<Attribute>& attributes) {
  const std::string_view via = find_attribute(attributes, RTA_VIA);
  if (via.size() > sizeof(std::uint16_t)) return IpAddress::from_bytes(via.substr(sizeof(std::uint16_t)));
  return IpAddress::from_bytes(find_attribute(attributes, RTA_GATEWAY));
}

// The destination of a route to everywhere is not written down.
std::optional<IpAddress> base_of(std::string_view bytes, unsigned char family) {
  if (!bytes.empty()) return IpAddress::from_bytes(bytes);
  return IpAddress::from_bytes(std::string(family == AF_INET ? 4 : 16, '\0'));
}

}  // namespace

Result<std::optional<NetworkLink>> read_link(const Message& message) {
  if (message.type != RTM_NEWLINK) return std::optional<NetworkLink>();
  const auto body = body_of<ifinfomsg>(message);
  if (!body) return body.error();
  NetworkLink link;
  link.index = body->head.ifi_index;
  link.up = (body->head.ifi_flags & IFF_UP) != 0;
  link.carrier = (body->head.ifi_flags & k_lower_up) != 0;
  const std::string_view name = find_attribute(body->attributes, IFLA_IFNAME);
  link.name = name.substr(0, name.find('\0'));
  link.mtu = static_cast<int>(u32_of(find_attribute(body->attributes, IFLA_MTU)));
  link.master = static_cast<int>(u32_of(find_attribute(body->attributes, IFLA_MASTER)));
  link.mac = mac_of(find_attribute(body->attributes, IFLA_ADDRESS));
  auto vxlan = read_vxlan(find_attribute(body->attributes, IFLA_LINKINFO));
  if (!vxlan) return vxlan.error();
  link.vxlan = *vxlan;
  auto v6 = read_ipv6(find_attribute(body->attributes, IFLA_AF_SPEC));
  if (!v6) return v6.error();
  link.v6 = *v6;
  return std::optional(std::move(link));
}

Result<std::optional<FoundAddress>> read_address(const Message& message) {
  if (message.type != RTM_NEWADDR) return std::optional<FoundAddress>();
  const auto body = body_of<ifaddrmsg>(message);
  if (!body) return body.error();
  // On a point-to-point link IFA_ADDRESS is the other end's.
  std::string_view own = find_attribute(body->attributes, IFA_LOCAL);
  if (own.empty()) own = find_attribute(body->attributes, IFA_ADDRESS);
  const auto address = IpAddress::from_bytes(own);
  if (!address) return std::optional<FoundAddress>();
  // The header has room for the first eight of the flags; these are among them.
  const bool usable = (body->head.ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
  const bool learnt = body->head.ifa_family == AF_INET6 && body->head.ifa_scope == RT_SCOPE_UNIVERSE &&
                      (body->head.ifa_flags & IFA_F_PERMANENT) == 0;
  const LinkAddress found{*address, body->head.ifa_prefixlen, usable};
  return std::optional(FoundAddress{static_cast<int>(body->head.ifa_index), found, learnt});
}

Result<std::optional<int>> read_learnt_route(const Message& message) {
  if (message.type != RTM_NEWROUTE) return std::optional<int>();
  const auto body = body_of<rtmsg>(message);
  if (!body) return body.error();
  const bool learnt = body->head.rtm_family == AF_INET6 && body->head.rtm_protocol == RTPROT_RA;
  const auto link = static_cast<int>(u32_of(find_attribute(body->attributes, RTA_OIF)));
  return learnt && link != 0 ? std::optional(link) : std::optional<int>();
}

Result<std::optional<Cidr>> read_connected_route(const Message& message, int link) {
  if (message.type != RTM_NEWROUTE) return std::optional<Cidr>();
  const auto body = body_of<rtmsg>(message);
  if (!body) return body.error();
  const rtmsg& head = body->head;
  const bool ours = (head.rtm_family == AF_INET || head.rtm_family == AF_INET6) && head.rtm_table == RT_TABLE_MAIN &&
                    head.rtm_type == RTN_UNICAST && (head.rtm_flags & RTM_F_CLONED) == 0 && !gateway_of(body->attributes) &&
                    static_cast<int>(u32_of(find_attribute(body->attributes, RTA_OIF))) == link;
  const auto base = base_of(find_attribute(body->attributes, RTA_DST), head.rtm_family);
  if (!ours || !base) return std::optional<Cidr>();
  const auto destination = Cidr::make(*base, head.rtm_dst_len);
  if (!destination) return destination.error();
  return std::optional(*destination);
}

Result<std::optional<MarkedRoute>> read_marked_route(const Message& message) {
  if (message.type != RTM_NEWROUTE) return std::optional<MarkedRoute>();
  const auto body = body_of<rtmsg>(message);
  if (!body) return body.error();
  const rtmsg& head = body->head;
  // Also on kernels that do not filter dumps.
  if ((head.rtm_family != AF_INET && head.rtm_family != AF_INET6) || head.rtm_table != RT_TABLE_MAIN ||
      head.rtm_protocol != k_route_protocol || (head.rtm_flags & RTM_F_CLONED) != 0)
    return std::optional<MarkedRoute>();
  MarkedRoute route;
  const auto base = base_of(find_attribute(body->attributes, RTA_DST), head.rtm_family);
  if (!base) return make_error(Errc::corrupt, "route with a destination of the wrong size");
  auto destination = Cidr::make(*base, head.rtm_dst_len);
  if (!destination) return destination.error();
  route.destination = *destination;
  route.gateway = gateway_of(body->attributes);
  route.source = IpAddress::from_bytes(find_attribute(body->attributes, RTA_PREFSRC));
  route.metric = u32_of(find_attribute(body->attributes, RTA_PRIORITY));
  route.blackhole = head.rtm_type == RTN_BLACKHOLE;
  route.onlink = (head.rtm_flags & RTNH_F_ONLINK) != 0;
  // IPv6 keeps its blackholes on the loopback interface.
  if (!route.blackhole) route.link = static_cast<int>(u32_of(find_attribute(body->attributes, RTA_OIF)));
  return std::optional(route);
}

Result<std::optional<Neighbour>> read_neighbour(const Message& message, int link) {
  if (message.type != RTM_NEWNEIGH) return std::optional<Neighbour>();
  const auto body = body_of<ndmsg>(message);
  if (!body) return body.error();
  const bool ip = body->head.ndm_family == AF_INET || body->head.ndm_family == AF_INET6;
  const auto address = IpAddress::from_bytes(find_attribute(body->attributes, NDA_DST));
  if (!ip || !address || body->head.ndm_ifindex != link || (body->head.ndm_state & NUD_PERMANENT) == 0)
    return std::optional<Neighbour>();
  return std::optional(Neighbour{*address, mac_of(find_attribute(body->attributes, NDA_LLADDR))});
}

Result<std::optional<ForwardingEntry>> read_forwarding(const Message& message, int link) {
  if (message.type != RTM_NEWNEIGH) return std::optional<ForwardingEntry>();
  const auto body = body_of<ndmsg>(message);
  if (!body) return body.error();
  if (body->head.ndm_family != AF_BRIDGE || body->head.ndm_ifindex != link || (body->head.ndm_flags & NTF_SELF) == 0)
    return std::optional<ForwardingEntry>();
  return std::optional(ForwardingEntry{mac_of(find_attribute(body->attributes, NDA_LLADDR)),
                                       IpAddress::from_bytes(find_attribute(body->attributes, NDA_DST))});
}

}  // namespace slipway::net
