// The Network port: the same cases against the fake and against this machine's kernel, in a network namespace
// of its own.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>

#include "agent/domain/sysctl_plan.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/net/quiet_state.hpp"
#include "agent/net/sysctls.hpp"
#include "agent/net/masquerade.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/network_news.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

// What a case needs besides the port: hands on the machine.
struct Rig {
  virtual ~Rig() = default;
  virtual Network& network() = 0;
  virtual void set_underlay_up(bool up) = 0;
  IoTest io;
};

struct FakeRig final : Rig {
  FakeNetwork fake{ip("10.77.0.11"), 16};
  Network& network() override { return fake; }
  void set_underlay_up(bool up) override { fake.set_link_up(up); }
};

// A veth pair as the underlay: u0 with the node's address, its other end u1.
struct KernelRig final : Rig {
  NetNamespace ns;
  std::filesystem::path folder;
  std::unique_ptr<KernelNetwork> kernel;

  KernelRig() {
    std::string name = (std::filesystem::temp_directory_path() / "slipway-net-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder = name;
    run_words("ip link add u0 type veth peer name u1");
    run_words("ip address add 10.77.0.11/16 dev u0");
    run_words("ip link set u1 up");
    run_words("ip link set u0 up");
    KernelNetworkPaths paths;
    paths.etc = folder.string();
    auto opened = KernelNetwork::open(io.executor(), paths);
    if (!opened) throw std::runtime_error(opened.error().message);
    kernel = std::move(*opened);
  }
  ~KernelRig() override { std::filesystem::remove_all(folder); }
  Network& network() override { return *kernel; }
  void set_underlay_up(bool up) override { run_words(up ? "ip link set u0 up" : "ip link set u0 down"); }
};

void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("kernel") {
    if (!is_root()) {
      WARN("SKIPPED: the kernel's half of this contract needs root (a network namespace)");
      return;
    }
    KernelRig rig;
    run(rig);
  }
}

NetworkDesired desired_state() {
  NetworkDesired desired;
  desired.node_address = ip("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12")},
                   {"n3", cidr("10.10.3.0/24"), ip("10.77.0.13")}};
  desired.pools = {cidr("10.10.0.0/16"), cidr("10.20.0.0/16")};
  return desired;
}

NetworkObserved observed(Network& network) {
  auto state = network.observe();
  if (!state) throw std::runtime_error(state.error().message);
  return *state;
}

// Brings the machine to `desired`; every step must succeed.
void converge(Network& network, const NetworkDesired& desired) {
  const auto steps = plan_network(desired, observed(network));
  const auto results = network.apply(steps);
  REQUIRE(results.size() == steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    INFO(describe(steps[i]));
    if (!results[i]) FAIL(results[i].error().message);
  }
}

std::vector<std::string> planned(Network& network, const NetworkDesired& desired) {
  std::vector<std::string> out;
  for (const NetworkStep& step : plan_network(desired, observed(network))) out.push_back(describe(step));
  return out;
}

bool is_underlay_down(Network& network, const NetworkDesired& desired) {
  const auto findings = network_findings(desired, observed(network));
  return std::any_of(findings.begin(), findings.end(), [](const auto& finding) { return finding.kind == NetworkFindingKind::underlay_down; });
}

std::vector<MarkedRoute> peer_routes(Network& network) {
  auto routes = observed(network).routes;
  std::erase_if(routes, [](const MarkedRoute& route) { return route.blackhole; });
  return routes;
}

using Nothing = std::vector<std::string>;

}  // namespace

TEST_CASE("network contract: a fresh node converges, and a second plan is empty", "[network][contract]") {
  for_each_rig([](Rig& rig) {
    converge(rig.network(), desired_state());
    CHECK(planned(rig.network(), desired_state()) == Nothing{});
    CHECK(network_findings(desired_state(), observed(rig.network())).empty());
    CHECK(observed(rig.network()).routes.size() == 3);
  });
}

TEST_CASE("network contract: changes of the wanted state are followed", "[network][contract]") {
  for_each_rig([](Rig& rig) {
    NetworkDesired desired = desired_state();
    converge(rig.network(), desired);
    desired.peers[0].gateway = ip("10.77.0.99");
    desired.peers.erase(desired.peers.begin() + 1);
    desired.peers.push_back({"n4", cidr("10.10.4.0/26"), ip("10.77.0.14")});
    desired.own_cidr = cidr("10.10.9.0/24");
    desired.pools = {cidr("10.10.0.0/16"), cidr("10.30.0.0/16"), cidr("172.30.0.0/16")};
    desired.no_masquerade = {cidr("192.168.7.0/24"), cidr("192.168.8.8/32")};
    converge(rig.network(), desired);
    CHECK(planned(rig.network(), desired) == Nothing{});
    const auto routes = peer_routes(rig.network());
    REQUIRE(routes.size() == 2);
    CHECK(std::any_of(routes.begin(), routes.end(), [](const MarkedRoute& r) {
      return r.destination == cidr("10.10.2.0/24") && r.gateway == ip("10.77.0.99");
    }));
    desired.backend = NetworkBackend::external;
    converge(rig.network(), desired);
    CHECK(planned(rig.network(), desired) == Nothing{});
    CHECK(observed(rig.network()).routes.empty());
    CHECK_FALSE(observed(rig.network()).filter.masquerade.v4);
    CHECK_FALSE(observed(rig.network()).filter.forward.v4.chain_present);
  });
}

TEST_CASE("network contract: an unreachable gateway fails its own peer only", "[network][contract]") {
  for_each_rig([](Rig& rig) {
    NetworkDesired desired = desired_state();
    desired.peers.insert(desired.peers.begin(), {"far", cidr("10.10.0.0/24"), ip("192.0.2.1")});
    auto steps = plan_network(desired, observed(rig.network()));
    // The plan knows already, from the underlay's networks. What it cannot know the kernel refuses.
    CHECK(network_findings(desired, observed(rig.network())).at(0).kind == NetworkFindingKind::not_adjacent);
    const auto near = std::find_if(steps.begin(), steps.end(), [](const NetworkStep& step) { return std::holds_alternative<PutRoute>(step); });
    REQUIRE(near != steps.end());
    PutRoute far{std::get<PutRoute>(*near).route, "far"};
    far.route.destination = cidr("10.10.0.0/24");
    far.route.gateway = ip("192.0.2.1");
    steps.insert(near, far);
    const auto results = rig.network().apply(steps);
    REQUIRE(results.size() == steps.size());
    int failures = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (results[i]) continue;
      ++failures;
      INFO(results[i].error().message);
      REQUIRE(std::holds_alternative<PutRoute>(steps[i]));
      CHECK(std::get<PutRoute>(steps[i]).node == "far");
      CHECK(results[i].error().code == Errc::unavailable);
      CHECK(results[i].error().message.find("192.0.2.1 is not directly reachable") != std::string::npos);
    }
    CHECK(failures == 1);
    CHECK(peer_routes(rig.network()).size() == 2);
    CHECK(planned(rig.network(), desired) == Nothing{});
  });
}

TEST_CASE("network contract: a link that goes down takes routes along, the event brings them back",
          "[network][contract]") {
  for_each_rig([](Rig& rig) {
    const NetworkDesired desired = desired_state();
    converge(rig.network(), desired);
    rig.set_underlay_up(false);
    REQUIRE(rig.io.run(rig.network().changed()));
    CHECK(peer_routes(rig.network()).empty());
    CHECK(is_underlay_down(rig.network(), desired));
    CHECK(planned(rig.network(), desired) == Nothing{});  // nothing can be done while it is down

    rig.set_underlay_up(true);
    // The kernel tells of a lost carrier when it comes to it, maybe only now: an event says that something may be different, not what.
    do REQUIRE(rig.io.run(rig.network().changed()));
    while (is_underlay_down(rig.network(), desired));
    converge(rig.network(), desired);
    CHECK(peer_routes(rig.network()).size() == 2);
    CHECK(planned(rig.network(), desired) == Nothing{});
  });
}

TEST_CASE("network contract: somebody else's pod network takes everything marked away", "[network][contract]") {
  for_each_rig([](Rig& rig) {
    converge(rig.network(), desired_state());
    NetworkDesired theirs = desired_state();
    theirs.backend = NetworkBackend::external;
    const auto steps = plan_network(theirs, observed(rig.network()));
    for (const Status& status : rig.network().apply(steps)) CHECK(status);
    CHECK(planned(rig.network(), theirs) == Nothing{});
    CHECK(observed(rig.network()).routes.empty());
    // Removing what is gone already is no error.
    for (const Status& status : rig.network().apply(steps)) CHECK(status);
  });
}

TEST_CASE("network contract: the address towards another machine", "[network][contract]") {
  for_each_rig([](Rig& rig) {
    const auto own = rig.network().address_towards(ip("10.77.0.12"));
    REQUIRE(own);
    CHECK(*own == ip("10.77.0.11"));
  });
}

// Below: only a kernel has these.

namespace {

bool skip_without_root() {
  if (!is_root()) WARN("SKIPPED: needs root (a network namespace)");
  return !is_root();
}

}  // namespace

TEST_CASE("kernel network: what others made stays", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  run_words("ip route add 10.10.7.0/24 via 10.77.0.70");
  run_words("ip route add 10.10.8.0/24 via 10.77.0.70 proto 80");
  run_words("ip route add 10.10.2.0/24 via 10.77.0.70 metric 5");
  run_tool({"nft", "add table ip other"});
  run_words("iptables -A FORWARD -s 192.0.2.0/24 -j DROP");
  NetworkDesired desired = desired_state();
  converge(*rig.kernel, desired);
  desired.backend = NetworkBackend::external;
  converge(*rig.kernel, desired);
  const std::string routes = run_words("ip route show");
  CHECK(routes.find("10.10.7.0/24 via 10.77.0.70") != std::string::npos);
  CHECK(routes.find("10.10.8.0/24 via 10.77.0.70") != std::string::npos);
  CHECK(routes.find("10.10.2.0/24 via 10.77.0.70 dev u0 metric 5") != std::string::npos);
  CHECK(routes.find("proto 77") == std::string::npos);
  CHECK(run_words("nft list tables").find("table ip other") != std::string::npos);
  CHECK(run_words("iptables -S FORWARD") == "-P FORWARD ACCEPT\n-A FORWARD -s 192.0.2.0/24 -j DROP\n");
}

TEST_CASE("kernel network: a marked route left by a former run is found and removed", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  run_words("ip route add 10.10.66.0/24 via 10.77.0.66 proto 77 metric 9");
  run_words("ip route add blackhole 10.10.67.0/24 proto 77 metric 4294967294");
  converge(*rig.kernel, desired_state());
  CHECK(planned(*rig.kernel, desired_state()) == Nothing{});
  const std::string routes = run_words("ip route show");
  CHECK(routes.find("10.10.66.0") == std::string::npos);
  CHECK(routes.find("10.10.67.0") == std::string::npos);
  CHECK(routes.find("blackhole 10.10.1.0/24 proto 77 metric 4294967294") != std::string::npos);
}

TEST_CASE("kernel network: a FORWARD policy of DROP is noticed and our accepts come first",
          "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  const NetworkDesired desired = desired_state();
  run_words("iptables -P FORWARD DROP");
  CHECK(observed(*rig.kernel).filter.forward.v4.policy_drop);
  converge(*rig.kernel, desired);
  // Docker, started again, puts its own jumps in front.
  run_words("iptables -N DOCKER-USER");
  run_words("iptables -I FORWARD -j DOCKER-USER");
  CHECK(planned(*rig.kernel, desired).size() == 1);
  converge(*rig.kernel, desired);
  CHECK(run_words("iptables -S FORWARD") ==
        "-P FORWARD DROP\n-A FORWARD -j SLIPWAY-FORWARD\n-A FORWARD -j DOCKER-USER\n");
  CHECK(run_words("iptables -S SLIPWAY-FORWARD") ==
        "-N SLIPWAY-FORWARD\n-A SLIPWAY-FORWARD -s 10.10.0.0/16 -j ACCEPT\n-A SLIPWAY-FORWARD -d "
        "10.10.0.0/16 -j ACCEPT\n"
        "-A SLIPWAY-FORWARD -s 10.20.0.0/16 -j ACCEPT\n-A SLIPWAY-FORWARD -d 10.20.0.0/16 -j ACCEPT\n");
  // A rule taken away, a rule slipped in, everything flushed: each is mended.
  for (const char* harm : {"iptables -D SLIPWAY-FORWARD -d 10.10.0.0/16 -j ACCEPT",
                           "iptables -I SLIPWAY-FORWARD -s 10.10.3.0/24 -j DROP", "iptables -F FORWARD",
                           "iptables -F SLIPWAY-FORWARD"}) {
    INFO(harm);
    run_words(harm);
    CHECK(planned(*rig.kernel, desired).size() == 1);
    converge(*rig.kernel, desired);
    CHECK(planned(*rig.kernel, desired) == Nothing{});
  }
}

TEST_CASE("kernel network: the masquerade table is replaced whole or not at all", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  const NetworkDesired desired = desired_state();
  converge(*rig.kernel, desired);
  const auto before = observed(*rig.kernel).filter.masquerade.v4;
  REQUIRE(before);
  CHECK(before->local == std::vector<Cidr>{cidr("10.10.0.0/16"), cidr("10.20.0.0/16")});

  PutMasquerade broken;
  broken.rules = {"ip saddr 10.10.1.0/24 return", "ip saddr 10.10.1.0/24 jump nowhere"};
  broken.table.rule_marks = {"a", "b"};
  const auto results = rig.kernel->apply({broken});
  REQUIRE(results.size() == 1);
  CHECK_FALSE(results[0]);
  CHECK(observed(*rig.kernel).filter.masquerade.v4 == before);

  for (const char* harm :
       {"nft flush chain ip slipway postrouting", "nft add element ip slipway local { 192.0.2.0/24 }",
        "nft add rule ip slipway postrouting drop", "nft delete table ip slipway", "nft flush ruleset"}) {
    INFO(harm);
    run_words(harm);
    CHECK_FALSE(planned(*rig.kernel, desired).empty());
    converge(*rig.kernel, desired);
    CHECK(observed(*rig.kernel).filter.masquerade.v4 == before);
  }
}

TEST_CASE("kernel network: settings are applied and written for the next boot", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  converge(*rig.kernel, desired_state());
  const auto sysctls = observed(*rig.kernel).sysctls;
  const auto wanted = wanted_sysctls(desired_state());
  REQUIRE(wanted.size() == 2);
  for (const WantedSysctl& want : wanted) {
    CHECK(std::count_if(sysctls.begin(), sysctls.end(), [&want](const ObservedSysctl& one) {
            return one.key == want.sysctl.key && one.value == "1";
          }) == 1);
  }
  CHECK(std::filesystem::exists(rig.folder / "sysctl.d/90-slipway.conf"));
  CHECK(observed(*rig.kernel).files[NetworkFile::sysctl].find("-net.ipv4.ip_forward = 1\n") != std::string::npos);
  CHECK(observed(*rig.kernel).files[NetworkFile::modules].find("br_netfilter\n") != std::string::npos);
  run_tool({"sysctl", "-qw", "net.ipv4.ip_forward=0"});
  CHECK(planned(*rig.kernel, desired_state()) == Nothing{"set net/ipv4/ip_forward = 1"});
}

TEST_CASE("kernel network: a bridge of a former range goes only when no pod is on it", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  const NetworkDesired desired = desired_state();
  converge(*rig.kernel, desired);
  run_words("ip link add cni0 type bridge");
  run_words("ip address add 10.10.200.1/24 dev cni0");
  run_words("ip link add p0 type veth peer name p1");
  run_words("ip link set p0 master cni0");
  CHECK(planned(*rig.kernel, desired) == Nothing{});
  CHECK(network_findings(desired, observed(*rig.kernel)).at(0).kind == NetworkFindingKind::bridge_in_use);
  run_words("ip link del p0");
  CHECK(planned(*rig.kernel, desired) == Nothing{"remove bridge cni0"});
  converge(*rig.kernel, desired);
  CHECK(planned(*rig.kernel, desired) == Nothing{});
}

TEST_CASE("kernel network: many peers", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  NetworkDesired desired = desired_state();
  desired.peers.clear();
  for (std::uint32_t i = 0; i < 5000; ++i)
    desired.peers.push_back({"n" + std::to_string(i), *Cidr::make(IpAddress::v4(0x0b000000U + i * 256), 24),
                             IpAddress::v4(0x0a4d1000U + i)});
  auto steps = plan_network(desired, observed(*rig.kernel));
  // Enough refusals in one batch to overrun a small answer buffer.
  const auto some = std::find_if(steps.begin(), steps.end(), [](const NetworkStep& step) { return std::holds_alternative<PutRoute>(step); });
  REQUIRE(some != steps.end());
  PutRoute far = std::get<PutRoute>(*some);
  far.route.gateway = IpAddress::v4(0xc0000201U);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    far.route.destination = *Cidr::make(IpAddress::v4(0x0c000000U + i * 256), 24);
    steps.push_back(far);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto results = rig.kernel->apply(steps);
  const auto applied = std::chrono::steady_clock::now();
  const auto again = observed(*rig.kernel);
  const auto seen = std::chrono::steady_clock::now();
  const auto ms = [](auto d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); };
  std::cout << "5000 routes, 1000 refusals and the rest applied in " << ms(applied - start)
            << " ms, observed in " << ms(seen - applied) << " ms\n";
  CHECK(std::count_if(results.begin(), results.end(), [](const Status& s) { return !s; }) == 1000);
  CHECK(again.routes.size() == 5001);
  CHECK(plan_network(desired, again).empty());
}

TEST_CASE("kernel network: waiting for a change can be cancelled", "[network][kernel]") {
  if (skip_without_root()) return;
  KernelRig rig;
  boost::asio::cancellation_signal signal;
  std::optional<Result<NetworkNews>> ended;
  const auto done = [&ended](std::exception_ptr, Result<NetworkNews> news) { ended = std::move(news); };
  // The veth pair's own carrier events may trail in: wait again after each.
  do {
    ended.reset();
    boost::asio::co_spawn(rig.io.executor(), rig.kernel->changed(),
                          boost::asio::bind_cancellation_slot(signal.slot(), done));
    rig.io.poll();
  } while (ended);
  signal.emit(boost::asio::cancellation_type::terminal);
  rig.io.poll();
  REQUIRE(ended);
  CHECK(ended->error().code == Errc::canceled);
}

TEST_CASE("iptables listings of any content are understood", "[network][parse]") {
  const auto none = net::parse_forward("-P FORWARD ACCEPT\n", "");
  CHECK((none.tool_present && !none.jump_first && !none.chain_present && !none.policy_drop));
  const auto second = net::parse_forward("-P FORWARD DROP\n-A FORWARD -j X\n-A FORWARD -j SLIPWAY-FORWARD\n",
                                         "-N SLIPWAY-FORWARD\n-A SLIPWAY-FORWARD -s 10.0.0.0/8 -j ACCEPT\n");
  CHECK((second.policy_drop && !second.jump_first && second.chain_present && !second.chain_exact));
  CHECK(net::parse_forward("garbage", "-A SLIPWAY-FORWARD -s\n-A\n-A SLIPWAY-FORWARD").chain_exact == false);
  CHECK(net::count_jumps("-A FORWARD -j SLIPWAY-FORWARD\n-A FORWARD -j Y\n-A FORWARD -j SLIPWAY-FORWARD\n") ==
        2);
}

TEST_CASE("kernel network: what somebody does to forwarding, routes and rules of ours is told at once", "[network][drift]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (a network namespace)");
    return;
  }
  KernelRig rig;
  const NetworkDesired desired = desired_state();
  const std::string chain = k_forward_chain;
  std::vector<std::vector<std::string>> damages = {{"ip", "route", "del", "10.10.2.0/24"},
                                                   {"ip", "route", "replace", "10.10.2.0/24", "via", "10.77.0.44", "metric",
                                                    std::to_string(route_metric(cidr("10.10.2.0/24")))},
                                                   {"sysctl", "-qw", "net.ipv4.ip_forward=0"},
                                                   {"nft", "delete", "table", "ip", "slipway"},
                                                   {"nft", "flush", "ruleset"}};
  // The older variant tells nobody: it is looked at instead.
  const bool tells = run_tool({"iptables", "-V"}).find("nf_tables") != std::string::npos;
  if (tells) {
    damages.push_back({"iptables", "-D", "FORWARD", "-j", chain});
    damages.push_back({"iptables", "-I", "FORWARD", "1", "-j", "ACCEPT"});
    damages.push_back({"iptables", "-F", chain});
  }
  for (const auto& damage : damages) {
    INFO(join(damage, " "));
    converge(rig.network(), desired);
    forget_news(rig.io, rig.network());
    run_tool(damage);
    REQUIRE(rig.io.run(rig.network().changed()));
    CHECK_FALSE(plan_network(desired, observed(rig.network())).empty());
    if (damage[0] == "iptables" && damage[1] == "-I") run_tool({"iptables", "-D", "FORWARD", "-j", "ACCEPT"});
  }
}

TEST_CASE("kernel network: our own routes, and those of others, are no news", "[network][drift]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (a network namespace)");
    return;
  }
  KernelRig rig;
  NetworkDesired desired = desired_state();
  converge(rig.network(), desired);
  forget_news(rig.io, rig.network());
  desired.peers.push_back({"n4", cidr("10.10.4.0/24"), ip("10.77.0.14")});
  desired.peers.erase(desired.peers.begin());
  converge(rig.network(), desired);
  run_words("ip route add 10.99.0.0/16 via 10.77.0.12 proto static");
  run_words("ip route del 10.99.0.0/16");
  // A pod's interface: it says how it forwards, by itself.
  run_words("ip link add br9 type bridge");
  run_words("ip link add p9 type veth peer name p8");
  run_words("ip link set p9 master br9");
  forget_news(rig.io, rig.network());
  run_words("sysctl -qw net.ipv4.conf.p9.forwarding=0");
  if (run_tool({"iptables", "-V"}).find("nf_tables") != std::string::npos) {
    run_tool({"iptables", "-t", "nat", "-N", "KUBE-SERVICES"});
    run_tool({"iptables", "-N", "KUBE-FORWARD"});
    run_tool({"iptables", "-A", "KUBE-FORWARD", "-j", "ACCEPT"});
  }
  CHECK_FALSE(has_news(rig.io, rig.network()));
}

TEST_CASE("kernel network: sysctls are looked at, for nobody tells of them", "[network][drift]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (a network namespace)");
    return;
  }
  KernelRig rig;
  converge(rig.network(), desired_state());
  net::QuietState state("/proc/sys");
  const auto look = [&state] { return state.look(network_sysctl_keys()); };
  const std::string before = look();
  CHECK(look() == before);
  REQUIRE(net::set_sysctl("/proc/sys", {"net/ipv4/ip_forward", "0"}));
  CHECK(look() != before);
  REQUIRE(net::set_sysctl("/proc/sys", {"net/ipv4/ip_forward", "1"}));
  CHECK(look() == before);
  CHECK(state.look({}) != before);
}

TEST_CASE("kernel network: what a module brings and takes along is looked at as it comes and goes", "[network][drift]") {
  const TempDir dir;
  net::QuietState state(dir.path());
  const auto look = [&state] { return state.look({"a", "b"}); };
  const std::string nothing = look();
  put_file(dir / "b", "1\n");
  const std::string there = look();
  CHECK(there != nothing);
  put_file(dir / "b", "0\n");
  CHECK(look() != there);
  CHECK(look() != nothing);
}
