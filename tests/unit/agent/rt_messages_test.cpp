// Messages of rtnetlink as values, whatever they hold; steps as messages, and the answers to them.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "agent/net/rt_read.hpp"
#include "agent/net/rt_write.hpp"

using namespace slipway;
using namespace slipway::net;

namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

// The request as the kernel would tell of its outcome.
std::string written(const NetworkStep& step, int overlay = 7) {
  MessageWriter writer;
  write_step(writer, step, overlay, 1);
  return writer.bytes();
}

MarkedRoute route(const char* destination, const char* gateway, bool onlink) {
  MarkedRoute out;
  out.destination = cidr(destination);
  out.gateway = ip(gateway);
  out.link = 3;
  out.metric = route_metric(out.destination);
  out.onlink = onlink;
  return out;
}

const MacAddress k_mac{2, 90, 10, 10, 2, 0};

template <class Read>
void read_all_cuts(const std::string& bytes, std::uint16_t type, const Read& read) {
  const std::string payload = bytes.substr(NLMSG_HDRLEN);
  for (std::size_t length = 0; length <= payload.size(); ++length) {
    Message message;
    message.type = type;
    message.payload = std::string_view(payload).substr(0, length);
    (void)read(message);  // must end, with whatever result
  }
  for (std::size_t place = 0; place < payload.size(); ++place) {
    for (const char value : {'\0', '\1', '\377'}) {
      std::string changed = payload;
      changed[place] = value;
      Message message;
      message.type = type;
      message.payload = changed;
      (void)read(message);
    }
  }
}

}  // namespace

TEST_CASE("routes, neighbours and entries come back as they were written", "[network][rt]") {
  MarkedRoute with_source = route("fd00:10:2::/64", "fe80::5157:a4d:c", false);
  with_source.source = ip("fd00:10:1::1");
  MarkedRoute by_other_family = route("10.10.2.0/24", "fd77::12", false);
  by_other_family.source = ip("10.10.1.1");
  for (const MarkedRoute& one : {route("10.10.2.0/24", "10.77.0.12", false),
                                 route("fd00:10:2::/64", "fe80::2", true), with_source, by_other_family}) {
    const std::string bytes = written(PutRoute{one, "n2"});
    const auto messages = parse_messages(bytes);
    REQUIRE(messages);
    const auto back = read_marked_route(messages->at(0));
    REQUIRE(back);
    CHECK(*back == one);
  }
  const std::string neighbour = written(PutNeighbour{k_overlay_to_come, {ip("10.10.2.0"), k_mac}, "n2"});
  CHECK(*read_neighbour(parse_messages(neighbour)->at(0), 7) == Neighbour{ip("10.10.2.0"), k_mac});
  CHECK(*read_neighbour(parse_messages(neighbour)->at(0), 8) == std::nullopt);
  CHECK(*read_forwarding(parse_messages(neighbour)->at(0), 7) == std::nullopt);
  const std::string entry = written(PutForwarding{7, {k_mac, ip("fd77::12")}, "n2"});
  CHECK(*read_forwarding(parse_messages(entry)->at(0), 7) == ForwardingEntry{k_mac, ip("fd77::12")});
  CHECK(*read_neighbour(parse_messages(entry)->at(0), 7) == std::nullopt);
}

TEST_CASE("a tunnel device comes back as it was asked for", "[network][rt]") {
  for (const char* local : {"10.77.0.11", "fd77::11"}) {
    const VxlanConfig config{77, 4789, 3, ip(local), false, false};
    MessageWriter writer;
    write_overlay(writer, {config, k_mac, 1450, 0, "eth0"}, 1);
    const auto link = read_link(parse_messages(writer.bytes())->at(0));
    REQUIRE(link);
    REQUIRE(*link);
    CHECK((*link)->name == k_overlay_device);
    CHECK((*link)->mac == k_mac);
    CHECK((*link)->mtu == 1450);
    CHECK((*link)->vxlan == config);
  }
}

TEST_CASE("cut or changed messages are read without harm", "[network][rt]") {
  read_all_cuts(written(PutRoute{route("fd00:10:2::/64", "fe80::2", true), ""}), RTM_NEWROUTE, read_marked_route);
  MarkedRoute by_other_family = route("10.10.2.0/24", "fd77::12", false);
  by_other_family.source = ip("10.10.1.1");
  read_all_cuts(written(PutRoute{by_other_family, ""}), RTM_NEWROUTE, read_marked_route);
  read_all_cuts(written(PutNeighbour{7, {ip("10.10.2.0"), k_mac}, ""}), RTM_NEWNEIGH,
                [](const Message& message) { return read_neighbour(message, 7); });
  read_all_cuts(written(PutForwarding{7, {k_mac, ip("10.77.0.12")}, ""}), RTM_NEWNEIGH,
                [](const Message& message) { return read_forwarding(message, 7); });
  MessageWriter writer;
  write_overlay(writer, {{1, 8472, 3, ip("10.77.0.11"), false, false}, k_mac, 1450, 0, ""}, 1);
  read_all_cuts(writer.bytes(), RTM_NEWLINK, read_link);
  writer.clear();
  write_address(writer, 7, {ip("10.10.1.0"), 32}, false, 1);
  read_all_cuts(writer.bytes(), RTM_NEWADDR, read_address);
  CHECK(read_address(parse_messages(writer.bytes())->at(0)).value()->address == LinkAddress{ip("10.10.1.0"), 32});
}

TEST_CASE("what of a link's IPv6 the kernel tells beside it", "[network][rt]") {
  std::vector<std::uint32_t> values(DEVCONF_MAX, 0);
  const auto read = [&values](std::size_t count) {
    const std::string conf(reinterpret_cast<const char*>(values.data()), count * sizeof values[0]);
    const std::string v6 = attribute_bytes(AF_INET6 | NLA_F_NESTED, attribute_bytes(IFLA_INET6_CONF, conf));
    MessageWriter writer;
    writer.begin(RTM_NEWLINK, 0, 1, std::string(sizeof(ifinfomsg), '\0'));
    writer.attribute(IFLA_AF_SPEC | NLA_F_NESTED, v6);
    writer.end();
    read_all_cuts(writer.bytes(), RTM_NEWLINK, read_link);
    const auto messages = parse_messages(writer.bytes());
    return read_link(messages->at(0)).value()->v6;
  };
  values[DEVCONF_ACCEPT_RA] = 1;
  CHECK(read(values.size()) == LinkIpv6{false, 1, false});
  values[DEVCONF_DISABLE_IPV6] = 1;
  CHECK(read(values.size()) == LinkIpv6{true, 1, false});
  CHECK(read(4) == LinkIpv6{false, 1, false});  // a kernel with fewer of them
  CHECK(read(0) == std::nullopt);
}

TEST_CASE("what came from routers is told from what stays", "[network][rt]") {
  const auto address = [](std::uint8_t flags, std::uint8_t scope, const char* text) {
    ifaddrmsg head{};
    head.ifa_family = AF_INET6;
    head.ifa_prefixlen = 64;
    head.ifa_flags = flags;
    head.ifa_scope = scope;
    head.ifa_index = 3;
    MessageWriter writer;
    writer.begin(RTM_NEWADDR, 0, 1, {reinterpret_cast<const char*>(&head), sizeof head});
    writer.attribute(IFA_ADDRESS, ip(text).bytes());
    writer.end();
    const auto messages = parse_messages(writer.bytes());
    return *read_address(messages->at(0)).value();
  };
  CHECK(address(0, RT_SCOPE_UNIVERSE, "2001:db8::1").learnt);
  CHECK_FALSE(address(IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, "2001:db8::1").learnt);
  CHECK_FALSE(address(0, RT_SCOPE_LINK, "fe80::1").learnt);
  CHECK(address(IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, "2001:db8::1").address.usable);
  CHECK_FALSE(address(IFA_F_PERMANENT | IFA_F_TENTATIVE, RT_SCOPE_UNIVERSE, "2001:db8::1").address.usable);
  CHECK_FALSE(address(IFA_F_DADFAILED, RT_SCOPE_UNIVERSE, "2001:db8::1").address.usable);
  const auto route_of = [](std::uint8_t protocol) {
    rtmsg head{};
    head.rtm_family = AF_INET6;
    head.rtm_protocol = protocol;
    MessageWriter writer;
    writer.begin(RTM_NEWROUTE, 0, 1, {reinterpret_cast<const char*>(&head), sizeof head});
    writer.attribute_u32(RTA_OIF, 3);
    writer.end();
    read_all_cuts(writer.bytes(), RTM_NEWROUTE, read_learnt_route);
    const auto messages = parse_messages(writer.bytes());
    return read_learnt_route(messages->at(0)).value();
  };
  CHECK(route_of(RTPROT_RA) == 3);
  CHECK(route_of(RTPROT_STATIC) == std::nullopt);
}

TEST_CASE("what the kernel answers to a step", "[network][rt]") {
  const PutRoute direct{route("10.10.2.0/24", "10.77.0.12", false), "n2"};
  const PutRoute through{route("10.10.2.0/24", "10.10.2.0", true), "n2"};
  CHECK(status_of({0, ""}, direct));
  const Status far = status_of({ENETUNREACH, "Nexthop has invalid gateway"}, direct);
  REQUIRE_FALSE(far);
  CHECK(far.error().code == Errc::unavailable);
  CHECK(far.error().message.find("10.77.0.12 is not directly reachable (kernel: Nexthop has invalid gateway)") != std::string::npos);
  CHECK(status_of({EINVAL, "odd"}, through).error().message.find("reachable") == std::string::npos);
  CHECK(status_of({ENODEV, ""}, PutNeighbour{7, {ip("10.10.2.0"), k_mac}, "n2"}).error().message ==
        "put neighbour 10.10.2.0 at 02:5a:0a:0a:02:00 (node n2): the interface is gone");
  for (const int gone : {ESRCH, ENOENT, ENODEV}) {
    CHECK(status_of({gone, ""}, RemoveRoute{direct.route}));
    CHECK(status_of({gone, ""}, RemoveNeighbour{7, {ip("10.10.2.0"), k_mac}}));
    CHECK(status_of({gone, ""}, RemoveForwarding{7, {k_mac, ip("10.77.0.12")}}));
  }
  CHECK_FALSE(status_of({EPERM, ""}, RemoveRoute{direct.route}));
}
