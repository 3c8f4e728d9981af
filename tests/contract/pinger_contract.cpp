// The pinger on the real kernel, between network namespaces: two hosts with a router between them, and a host
// that is not there.
#include <catch2/catch.hpp>

#include "agent/net/icmp_pinger.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/pod_lab.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

bool no_root() {
  if (!is_root()) WARN("SKIPPED: needs root (network namespaces)");
  return !is_root();
}

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

// near 10.1.0.2 and fd01::2, router, far 10.2.0.2 and fd02::2. Who is there knows the others' link addresses
// from the start: one lost neighbour solicitation is asked again after a second only, which is longer than
// these pings wait.
struct Line {
  LabNamespace near, router, far;
  IoTest io;

  Line() {
    ip_batch(
        router,
        "link add r1 address 02:00:00:00:01:01 type veth peer name eth0 address 02:00:00:00:01:02 netns " +
            near.place() +
            "\nlink add r2 address 02:00:00:00:02:01 type veth peer name eth0 address 02:00:00:00:02:02 "
            "netns " +
            far.place() +
            "\naddress add 10.1.0.1/24 dev r1\naddress add 10.2.0.1/24 dev r2"
            "\naddress add fd01::1/64 dev r1 nodad\naddress add fd02::1/64 dev r2 nodad"
            "\nlink set r1 up\nlink set r2 up\n");
    router.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    ip_batch(near,
             "address add 10.1.0.2/24 dev eth0\naddress add fd01::2/64 dev eth0 nodad\nlink set eth0 up"
             "\nroute add default via 10.1.0.1\nroute add default via fd01::1\n");
    ip_batch(far,
             "address add 10.2.0.2/24 dev eth0\naddress add 10.2.0.3/32 dev lo\naddress add fd02::2/64 dev "
             "eth0 nodad"
             "\nlink set eth0 up\nroute add default via 10.2.0.1\nroute add default via fd02::1\n");
    await_carrier(near, "eth0");
    await_carrier(far, "eth0");
    for (const char* port : {"r1", "r2"}) await_carrier(router, port);
    introduce(1, near);
    introduce(2, far);
  }
  // The kernel takes a link into use a while after both its ends are up (linkwatch, at most once a second for
  // all links).
  static void await_carrier(const LabNamespace& ns, const std::string& device) {
    const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (ns.run("ip -oneline link show dev " + device).find("state UP") == std::string::npos)
      if (std::chrono::steady_clock::now() > latest) throw std::runtime_error(device + " does not come up");
  }
  void introduce(int link, const LabNamespace& host) {
    const std::string number = std::to_string(link);
    const std::string mac = " nud permanent lladdr 02:00:00:00:0" + number + ":0";
    for (const std::string& net : {"10." + number + ".0.", "fd0" + number + "::"}) {
      ip_batch(host, "neighbour replace " + net + "1 dev eth0" + mac + "1\n");
      ip_batch(router, "neighbour replace " + net + "2 dev r" + number + mac + "2\n");
    }
  }
  std::vector<PingOutcome> ping(std::vector<Ping> pings,
                                IcmpPinger::Patience patience = {Millis(300), Millis(300)}) {
    return near.within([&] {
      IcmpPinger pinger(io.executor(), std::move(patience));
      boost::asio::awaitable<Result<std::vector<PingOutcome>>> pinging = pinger.ping(std::move(pings));
      const auto outcomes = io.run(std::move(pinging));
      if (!outcomes) throw std::runtime_error(outcomes.error().message);
      return *outcomes;
    });
  }
  PingResult result(const std::string& to, std::size_t bytes = 0) {
    const IpAddress target = ip(to);
    return ping({{target.is_v4() ? ip("10.1.0.2") : ip("fd01::2"), target, bytes}}).at(0).result;
  }
};

}  // namespace

TEST_CASE("pinger: who is there answers, in both families and up to the way's MTU", "[pinger][network]") {
  if (no_root()) return;
  Line line;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1500}}) {
    CHECK(line.result("10.2.0.2", bytes) == PingResult::answered);
    CHECK(line.result("fd02::2", bytes) == PingResult::answered);
  }
  CHECK(line.result("10.1.0.2") == PingResult::answered);
  CHECK(line.ping({}).empty());
}

TEST_CASE("pinger: a packet that is too large for the way is not cut, and the way's MTU is told",
          "[pinger][network]") {
  if (no_root()) return;
  Line line;
  line.router.run("ip link set r2 mtu 1400");
  for (const bool v4 : {true, false}) {
    const Ping small{ip(v4 ? "10.1.0.2" : "fd01::2"), ip(v4 ? "10.2.0.2" : "fd02::2"), 1400};
    Ping large = small;
    large.bytes = 1401;
    // Twice: what the kernel has learned of the way must not keep the packet here.
    for (int round = 0; round < 2; ++round)
      CHECK(line.ping({small, large}) ==
            std::vector<PingOutcome>{{PingResult::answered, 0}, {PingResult::too_big, 1400}});
  }
  CHECK(line.result("10.2.0.2", 1501) == PingResult::too_big);
  CHECK(line.result("fd02::2", 1501) == PingResult::too_big);
  // A way that drops it without a word.
  line.router.run("ip link set r2 mtu 1500");
  line.far.run("ip link set eth0 mtu 1400");
  CHECK(line.result("10.2.0.2", 1400) == PingResult::answered);
  CHECK(line.result("10.2.0.2", 1500) == PingResult::silent);
}

TEST_CASE("pinger: what stands in the way is told apart", "[pinger][network]") {
  if (no_root()) return;
  Line line;
  line.near.run("ip route add 10.3.0.0/24 via 10.1.0.1");
  line.near.run("ip route add blackhole 10.4.0.0/24");
  line.near.run("ip -6 route add blackhole fd04::/64");
  line.router.run("ip route add prohibit 10.2.0.3/32");
  CHECK(line.result("10.3.0.1") == PingResult::unreachable);  // the router has no way
  CHECK(line.result("10.4.0.1") == PingResult::no_route);
  CHECK(line.result("fd04::1") == PingResult::no_route);
  CHECK(line.result("10.2.0.3") == PingResult::refused);
  line.near.run("ip route del default");
  CHECK(line.result("10.9.0.1") == PingResult::no_route);
  line.far.run("ip link set eth0 down");
  line.near.run("ip route add default via 10.1.0.1");
  CHECK(line.result("10.2.0.2") == PingResult::silent);
}

TEST_CASE("pinger: packets leave with the address that is asked for", "[pinger][network]") {
  if (no_root()) return;
  Line line;
  line.near.run("ip address add 10.5.0.1/32 dev lo");
  // Nobody knows the way back to it.
  CHECK(line.ping({{ip("10.1.0.2"), ip("10.2.0.2"), 0}, {ip("10.5.0.1"), ip("10.2.0.2"), 0}}) ==
        std::vector<PingOutcome>{{PingResult::answered, 0}, {PingResult::silent, 0}});
  line.router.run("ip route add 10.5.0.1/32 via 10.1.0.2");
  CHECK(line.ping({{ip("10.5.0.1"), ip("10.2.0.2"), 0}}).at(0).result == PingResult::answered);
}

TEST_CASE("pinger: hundreds at once take no longer than one", "[pinger][network]") {
  if (no_root()) return;
  Line line;
  std::vector<Ping> pings;
  for (int i = 0; i < 600; ++i)
    pings.push_back({ip("10.1.0.2"), ip(i % 3 == 0 ? "10.1.0.77" : "10.2.0.2"),
                     i % 2 == 0 ? std::size_t{0} : std::size_t{1500}});
  const auto began = std::chrono::steady_clock::now();
  const auto outcomes = line.ping(pings);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  long answered = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    CHECK((outcomes[i].result == PingResult::answered) == (i % 3 != 0));
    answered += outcomes[i].result == PingResult::answered ? 1 : 0;
  }
  CHECK(answered == 400);
  IcmpPinger pinger(line.io.executor());
  boost::asio::awaitable<Result<std::vector<PingOutcome>>> pinging =
      pinger.ping(std::vector<Ping>(30'000, pings[0]));
  const auto refused = line.io.run(std::move(pinging));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
}
