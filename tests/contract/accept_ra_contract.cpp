// A node that has its IPv6 address and its way out from a router, on the real kernel: it keeps them when the
// agent turns forwarding on.
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "agent/domain/host_dropins.hpp"
#include "agent/net/network_undo.hpp"
#include "agent/render/traces.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "tests/support/pod_checks.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

constexpr char k_key[] = "net/ipv6/conf/eth0/accept_ra";

// The other end of the underlay of the lab's only node.
class Router {
 public:
  explicit Router(LabNode& node) {
    ip_batch(ns_, "link add wan0 type veth peer name up0 netns " + node.ns.place() +
                      "\naddress add fe80::1/64 dev wan0 nodad\nlink set wan0 up\n");
    ip_batch(node.ns,
             "link del eth0\nlink set up0 name eth0\nlink set eth0 up\naddress add 10.77.0.11/24 dev eth0\n");
  }

  // RFC 4861, sections 4.2 and 4.6.2: a router for half an hour, of 2001:db8:77::/64.
  void advertise() const {
    ns_.within([] {
      UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
      const int hops = 255;
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
      struct {
        nd_router_advert head;
        nd_opt_prefix_info prefix;
      } message{};
      message.head.nd_ra_type = ND_ROUTER_ADVERT;
      message.head.nd_ra_router_lifetime = htons(1800);
      message.prefix.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION;
      message.prefix.nd_opt_pi_len = 4;
      message.prefix.nd_opt_pi_prefix_len = 64;
      message.prefix.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO;
      message.prefix.nd_opt_pi_valid_time = message.prefix.nd_opt_pi_preferred_time = htonl(1800);
      const std::string prefix = IpAddress::parse("2001:db8:77::")->bytes();
      std::copy(prefix.begin(), prefix.end(), reinterpret_cast<char*>(&message.prefix.nd_opt_pi_prefix));
      sockaddr_in6 all_nodes{};
      all_nodes.sin6_family = AF_INET6;
      const std::string to = IpAddress::parse("ff02::1")->bytes();
      std::copy(to.begin(), to.end(), reinterpret_cast<char*>(&all_nodes.sin6_addr));
      all_nodes.sin6_scope_id = ::if_nametoindex("wan0");
      const auto sent = ::sendto(fd.get(), &message, sizeof message, 0,
                                 reinterpret_cast<const sockaddr*>(&all_nodes), sizeof all_nodes);
      if (sent != sizeof message)
        throw std::runtime_error(from_errno("send a router's advertisement", errno).message);
    });
  }

 private:
  LabNamespace ns_;
};

// The kernel works on what it received behind the sender's back, so it is asked again for a while.
bool becomes(const std::function<bool()>& holds) {
  for (int i = 0; i < 100; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

bool has_address(LabNode& node) {
  return node.ns.run("ip -6 address show dev eth0").find("2001:db8:77:") != std::string::npos;
}

bool has_way_out(LabNode& node) {
  return node.ns.run("ip -6 route show default").find("proto ra") != std::string::npos;
}

std::string accept_ra(LabNode& node) {
  return node.ns.run("sysctl -n net.ipv6.conf.eth0.accept_ra").substr(0, 1);
}

}  // namespace

TEST_CASE("accept_ra: a node goes on listening to its router when it forwards",
          "[network][pods][accept_ra]") {
  if (no_root()) return;
  PodLab lab({0}, backend(NetworkBackend::host_gw));
  LabNode& node = lab.node(0);
  const Router router(node);
  REQUIRE(becomes([&] {
    router.advertise();
    return has_address(node) && has_way_out(node);
  }));
  CHECK(lab.observe(node).links.size() > 1);
  lab.pass(node);
  CHECK(lab.planned(node) == Lines{});
  CHECK(accept_ra(node) == "2");
  CHECK(node.ns.run("sysctl -n net.ipv6.conf.all.forwarding").substr(0, 1) == "1");
  CHECK(has_address(node));
  CHECK(has_way_out(node));
  node.ns.run("ip -6 route flush proto ra");
  REQUIRE_FALSE(has_way_out(node));
  router.advertise();
  CHECK(becomes([&] { return has_way_out(node); }));
  CHECK(get_file(node.folder / network_file_path(NetworkFile::sysctl))
            .find("-net/ipv6/conf/eth0/accept_ra = 2\n") != std::string::npos);
}

TEST_CASE("accept_ra: either of the two that a router gives is a reason, and what is set by hand is none",
          "[network][pods][accept_ra]") {
  if (no_root()) return;
  struct Case {
    const char* command;
    bool reason;
  };
  for (const Case& one :
       {Case{"ip -6 address add 2001:db8::5/64 dev eth0 nodad valid_lft 1000 preferred_lft 1000", true},
        Case{"ip -6 route add default via fe80::1 dev eth0 proto ra metric 99", true},
        Case{"ip -6 route add default via fe80::1 dev eth0 proto static metric 99", false}}) {
    INFO(one.command);
    PodLab lab({0}, backend(NetworkBackend::host_gw));
    LabNode& node = lab.node(0);
    node.ns.run(one.command);
    REQUIRE(accept_ra(node) == "1");
    lab.pass(node);
    CHECK(lab.planned(node) == Lines{});
    CHECK(accept_ra(node) == (one.reason ? "2" : "1"));
  }
}

TEST_CASE("accept_ra: noted before, and a reset sets it back", "[network][pods][accept_ra]") {
  if (no_root()) return;
  PodLab lab({0}, backend(NetworkBackend::host_gw));
  LabNode& node = lab.node(0);
  node.ns.run("ip -6 route add default via fe80::1 dev eth0 proto ra metric 99");
  const auto intents = device_intents(plan_network(node.desired, lab.observe(node)));
  REQUIRE(intents.size() == 1);
  node.ns.within([&] {
    auto undo = net::NetworkUndo::open({});
    REQUIRE(undo);
    auto ledger = FileChangeLedger::open(node.folder / "data",
                                         [&undo](const Intent& intent) { return undo->former(intent); });
    REQUIRE(ledger);
    REQUIRE((*ledger)->intend(intents));
  });
  lab.pass(node);
  REQUIRE(accept_ra(node) == "2");
  node.ns.within([&] {
    const auto ledger = FileChangeLedger::read(node.folder / "data");
    REQUIRE(ledger);
    const std::vector<Change>& changes = (*ledger)->ledger().changes();
    REQUIRE(changes == std::vector<Change>{{ChangeKind::sysctl, k_key, "2", Former::kept, "1"}});
    auto undo = net::NetworkUndo::open({});
    REQUIRE(undo);
    const auto seen = undo->look(changes[0]);
    REQUIRE(seen);
    const ResetPlan plan = plan_reset(changes, {{*seen}, {}, {}});
    REQUIRE(plan.steps.size() == 1);
    CHECK(undo->undo(plan.steps[0]));
  });
  CHECK(accept_ra(node) == "1");
}
