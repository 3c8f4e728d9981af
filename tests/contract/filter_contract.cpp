// The packet filter of the Network port on this machine's kernel, by what packets do: a pod, its node, and another
// host with another node's pod, each in a network namespace.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <memory>

#include "agent/domain/host_dropins.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/net/firewalld.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/net/network_files.hpp"
#include "agent/net/quiet_state.hpp"
#include "agent/render/traces.hpp"
#include "agent/service/firewall_pass.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/network_news.hpp"
#include "tests/support/real_firewalld.hpp"
#include "tests/support/side_netns.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

constexpr int k_arrives_ms = 3000;
constexpr int k_silent_ms = 150;

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}
Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

struct Addresses {
  std::string pod, node, other_node, other_pod, world;
};
const Addresses k_v4{"10.10.1.2", "10.77.0.11", "10.77.0.12", "10.10.2.2", "192.0.2.1"};
const Addresses k_v6{"fd00:10:0:1::2", "fd77::11", "fd77::12", "fd00:10:0:2::2", "2001:db8::1"};

// Programs that write a line for each run, then are the real ones.
class CountedIptables {
 public:
  explicit CountedIptables(const std::string& variant = "iptables-nft") {
    const std::string v6 = "ip6" + variant.substr(2);
    put("iptables", "/usr/sbin/" + variant);
    put("ip6tables", "/usr/sbin/" + v6);
    put("iptables-restore", "/usr/sbin/" + variant + "-restore");
    put("ip6tables-restore", "/usr/sbin/" + v6 + "-restore");
  }
  std::string folder() const { return dir_.path(); }
  int runs() const {
    const std::string lines = std::filesystem::exists(dir_ / "runs") ? get_file(dir_ / "runs") : "";
    return static_cast<int>(std::count(lines.begin(), lines.end(), '\n'));
  }
  void remove(const std::string& name) const { std::filesystem::remove(dir_ / name); }

 private:
  void put(const std::string& name, const std::string& real) {
    put_file(dir_ / name, "#!/bin/sh\necho >> " + dir_.path() + "/runs\nexec " + real + " \"$@\"\n");
    std::filesystem::permissions(dir_ / name, std::filesystem::perms::owner_all);
  }
  TempDir dir_;
};

// u0 with the node's addresses leads to the other host; p0 to the pod.
struct FilterRig {
  IoTest io;
  NetNamespace node;
  SideNamespace pod, outside;
  TempDir etc;
  std::unique_ptr<KernelNetwork> network;

  explicit FilterRig(std::vector<std::string> program_folders = {}) {
    wire("u0", "u1", outside);
    wire("p0", "p1", pod);
    for (const char* line :
         {"ip address add 10.77.0.11/16 dev u0", "ip address add fd77::11/64 dev u0 nodad",
          "ip address add 10.10.1.1/24 dev p0", "ip address add fd00:10:0:1::1/64 dev p0 nodad",
          "ip link set u0 up", "ip link set p0 up", "ip route add 192.0.2.0/24 via 10.77.0.12",
          "ip -6 route add fd00:10:0:2::/64 via fd77::12", "ip -6 route add 2001:db8::/32 via fd77::12"})
      run_words(line);
    for (const char* line :
         {"ip address add 10.10.1.2/24 dev p1", "ip address add fd00:10:0:1::2/64 dev p1 nodad", "ip link set p1 up",
          "ip route add default via 10.10.1.1", "ip -6 route add default via fd00:10:0:1::1"})
      pod.run(line);
    for (const char* line :
         {"ip address add 10.77.0.12/16 dev u1", "ip address add fd77::12/64 dev u1 nodad", "ip link set u1 up",
          "ip address add 192.0.2.1/32 dev lo", "ip address add 10.10.2.2/32 dev lo",
          "ip address add 2001:db8::1/128 dev lo", "ip address add fd00:10:0:2::2/128 dev lo",
          "ip route add 10.10.1.0/24 via 10.77.0.11", "ip -6 route add fd00:10:0:1::/64 via fd77::11"})
      outside.run(line);
    KernelNetworkPaths paths;
    paths.etc = etc.path();
    if (!program_folders.empty()) paths.program_folders = std::move(program_folders);
    auto opened = KernelNetwork::open(io.executor(), paths);
    if (!opened) throw std::runtime_error(opened.error().message);
    network = std::move(*opened);
  }

  static void wire(const std::string& here, const std::string& there, const SideNamespace& side) {
    run_words("ip link add " + here + " type veth peer name " + there);
    run_words("ip link set " + there + " netns " + side.place());
  }

  // The pod sends to an address of the outside: what source is seen there? "" when nothing comes.
  std::string seen(const std::string& from, const std::string& to, int wait_ms = k_arrives_ms) {
    auto receiver = outside.within([&to] { return Datagrams(ip(to)); });
    auto sender = pod.within([&from] { return Datagrams(ip(from)); });
    sender.send(ip(to), receiver.port());
    return receiver.source(wait_ms);
  }
  // An address of the outside sends to the pod.
  std::string seen_by_pod(const Addresses& at, const std::string& from, int wait_ms = k_arrives_ms) {
    auto receiver = pod.within([&at] { return Datagrams(ip(at.pod)); });
    auto sender = outside.within([&from] { return Datagrams(ip(from)); });
    sender.send(ip(at.pod), receiver.port());
    return receiver.source(wait_ms);
  }
};

NetworkDesired dual_stack() {
  NetworkDesired desired;
  desired.node_address = ip("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.own_second_cidr = cidr("fd00:10:0:1::/64");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12")}};
  desired.pools = {cidr("10.10.0.0/16"), cidr("fd00:10::/48")};
  return desired;
}

NetworkObserved observed(Network& network) {
  auto state = network.observe();
  if (!state) throw std::runtime_error(state.error().message);
  return *state;
}

std::vector<std::string> planned(Network& network, const NetworkDesired& desired) {
  std::vector<std::string> out;
  for (const NetworkStep& step : plan_network(desired, observed(network))) out.push_back(describe(step));
  return out;
}

void converge(Network& network, const NetworkDesired& desired) {
  const auto steps = plan_network(desired, observed(network));
  const auto results = network.apply(steps);
  REQUIRE(results.size() == steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    INFO(describe(steps[i]));
    if (!results[i]) FAIL(results[i].error().message);
  }
}

std::vector<NetworkFinding> findings_of(NetworkFindingKind kind, Network& network, const NetworkDesired& desired) {
  auto all = network_findings(desired, observed(network));
  std::erase_if(all, [kind](const NetworkFinding& one) { return one.kind != kind; });
  return all;
}

using Nothing = std::vector<std::string>;

bool skip_without_root() {
  if (!is_root()) WARN("SKIPPED: needs root (network namespaces)");
  return !is_root();
}

bool have(const char* program) {
  return !find_program({"/usr/sbin", "/sbin", "/usr/bin", "/bin"}, program).empty();
}

}  // namespace

TEST_CASE("kernel filter: a pod leaves the cluster with the node's address, and keeps its own within", "[network][filter]") {
  if (skip_without_root()) return;
  FilterRig rig;
  NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  CHECK(planned(*rig.network, desired) == Nothing{});
  for (const Addresses& at : {k_v4, k_v6}) {
    CHECK(rig.seen(at.pod, at.world) == at.node);
    CHECK(rig.seen(at.pod, at.other_node) == at.node);
    CHECK(rig.seen(at.pod, at.other_pod) == at.pod);
    CHECK(rig.seen_by_pod(at, at.other_pod) == at.other_pod);
  }
  desired.no_masquerade = {cidr("192.0.2.0/24"), cidr("2001:db8::/32")};
  converge(*rig.network, desired);
  for (const Addresses& at : {k_v4, k_v6}) CHECK(rig.seen(at.pod, at.world) == at.pod);
  CHECK(planned(*rig.network, desired) == Nothing{});

  // Without a block of IPv6 the node has no table of it.
  desired.own_second_cidr.reset();
  const auto less = planned(*rig.network, desired);
  CHECK(std::find(less.begin(), less.end(), "remove the masquerade table of IPv6") != less.end());
  converge(*rig.network, desired);
  CHECK(run_words("nft list tables").find("table ip6 slipway") == std::string::npos);
  CHECK(run_words("nft list tables").find("table ip slipway") != std::string::npos);
}

TEST_CASE("kernel filter: a FORWARD policy of DROP does not stop pods, in either family", "[network][filter]") {
  if (skip_without_root()) return;
  FilterRig rig;
  const NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  run_words("iptables -F FORWARD");
  run_words("iptables -P FORWARD DROP");
  run_words("ip6tables -F FORWARD");
  run_words("ip6tables -P FORWARD DROP");
  for (const Addresses& at : {k_v4, k_v6}) CHECK(rig.seen(at.pod, at.other_pod, k_silent_ms).empty());
  CHECK(observed(*rig.network).filter.forward.v6.policy_drop);
  CHECK(planned(*rig.network, desired).size() == 2);
  converge(*rig.network, desired);
  CHECK(planned(*rig.network, desired) == Nothing{});
  for (const Addresses& at : {k_v4, k_v6}) {
    CHECK(rig.seen(at.pod, at.other_pod) == at.pod);
    CHECK(rig.seen_by_pod(at, at.other_pod) == at.other_pod);
    CHECK(rig.seen(at.pod, at.world) == at.node);
  }
  NetworkDesired off = desired;
  off.accept_forward = false;
  converge(*rig.network, off);
  CHECK(run_words("ip6tables -S FORWARD") == "-P FORWARD DROP\n");
}

TEST_CASE("kernel filter: a chain of somebody else's that refuses is named with its cure, which cures it", "[network][filter]") {
  if (skip_without_root()) return;
  FilterRig rig;
  const NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  run_tool({"nft", "-f", "-"},
           "table inet guard {\n chain forward {\n  type filter hook forward priority 10; policy accept;\n"
           "  ct state established,related accept\n  ct state invalid drop\n  reject with icmpx admin-prohibited\n }\n}\n");
  for (const Addresses& at : {k_v4, k_v6}) CHECK(rig.seen(at.pod, at.other_pod, k_silent_ms).empty());
  CHECK(planned(*rig.network, desired) == Nothing{});  // no rule of ours could help
  const auto told = findings_of(NetworkFindingKind::foreign_refusal, *rig.network, desired);
  REQUIRE(told.size() == 1);
  const std::string& message = told[0].message;
  CHECK(message.find("inet guard forward (reject with icmpx") != std::string::npos);
  const std::string cure = message.substr(message.find("nft insert rule"));
  for (const std::string_view command : split(cure, ';'))
    run_words(std::string(trim(command)));
  CHECK(findings_of(NetworkFindingKind::foreign_refusal, *rig.network, desired).empty());
  for (const Addresses& at : {k_v4, k_v6}) {
    CHECK(rig.seen(at.pod, at.other_pod) == at.pod);
    CHECK(rig.seen_by_pod(at, at.other_pod) == at.other_pod);
  }
}

TEST_CASE("kernel filter: flushed rules are noticed at once and put back", "[network][filter][drift]") {
  if (skip_without_root()) return;
  FilterRig rig;
  const NetworkDesired desired = dual_stack();
  for (const char* damage :
       {"nft flush ruleset", "nft delete table ip6 slipway", "nft flush chain ip6 slipway postrouting",
        "nft add element ip6 slipway local { 2001:db8::/32 }", "ip6tables -F FORWARD", "ip6tables -F SLIPWAY-FORWARD"}) {
    INFO(damage);
    converge(*rig.network, desired);
    forget_news(rig.io, *rig.network);
    const auto begun = std::chrono::steady_clock::now();
    run_words(damage);
    REQUIRE(rig.io.run(rig.network->changed()));
    CHECK_FALSE(planned(*rig.network, desired).empty());
    converge(*rig.network, desired);
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
    CHECK(planned(*rig.network, desired) == Nothing{});
  }
  CHECK(rig.seen(k_v6.pod, k_v6.world) == k_v6.node);
}

TEST_CASE("kernel filter: a firewalld that makes its table anew is news", "[network][filter][drift]") {
  if (skip_without_root()) return;
  FilterRig rig;
  converge(*rig.network, dual_stack());
  forget_news(rig.io, *rig.network);
  run_words("nft add table inet other");
  CHECK_FALSE(has_news(rig.io, *rig.network));
  run_words("nft add table inet firewalld");
  REQUIRE(rig.io.run(rig.network->changed()));
  CHECK(findings_of(NetworkFindingKind::foreign_refusal, *rig.network, dual_stack()).empty());
}

TEST_CASE("kernel filter: firewalld's final reject does not stop pods once it is told of them", "[network][filter][firewall]") {
  if (skip_without_root()) return;
  if (!RealFirewalld::available()) {
    WARN("SKIPPED: needs firewalld");
    return;
  }
  FilterRig rig;
  const NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  RealFirewalld daemon(rig.io);
  Firewalld firewalld(rig.io.executor(), daemon.options());
  FirewallDeps deps;
  deps.firewall = &firewalld;
  // A question to it is answered once its start is complete.
  REQUIRE(rig.io.run(firewalld.observe("u0", {})));
  for (const Addresses& at : {k_v4, k_v6}) {
    CHECK(rig.seen(at.pod, at.other_pod, k_silent_ms).empty());
    CHECK(rig.seen_by_pod(at, at.other_pod, k_silent_ms).empty());
  }
  const auto outcome = rig.io.run(bring_firewall_about(deps, desired, "u0"));
  for (const std::string& problem : outcome.problems) FAIL_CHECK(problem);
  converge(*rig.network, desired);
  for (const Addresses& at : {k_v4, k_v6}) {
    CHECK(rig.seen(at.pod, at.other_pod) == at.pod);
    CHECK(rig.seen(at.pod, at.world) == at.node);
    CHECK(rig.seen_by_pod(at, at.other_pod) == at.other_pod);
    CHECK(rig.seen_by_pod(at, at.other_node) == at.other_node);  // a node to a pod of another one
    CHECK(rig.seen_by_pod(at, at.world) == at.world);
  }
  CHECK(rig.io.run(bring_firewall_about(deps, desired, "u0")).changes == Nothing{});
  CHECK(findings_of(NetworkFindingKind::foreign_refusal, *rig.network, desired).empty());

  // A reload makes its table anew, and empties those of iptables: that is news, and is mended. What it was told it keeps.
  forget_news(rig.io, *rig.network);
  REQUIRE(rig.io.run(firewalld.apply(ReloadFirewall{})));
  REQUIRE(rig.io.run(rig.network->changed()));
  CHECK(rig.io.run(bring_firewall_about(deps, desired, "u0")).changes == Nothing{});
  converge(*rig.network, desired);
  CHECK(planned(*rig.network, desired) == Nothing{});
  for (const Addresses& at : {k_v4, k_v6}) CHECK(rig.seen_by_pod(at, at.other_pod) == at.other_pod);
  // Somebody flushes everything, firewalld's rules as well.
  run_words("nft flush ruleset");
  converge(*rig.network, desired);
  CHECK(rig.seen(k_v4.pod, k_v4.world) == k_v4.node);
}

TEST_CASE("kernel filter: rules in both variants of iptables are found", "[network][filter]") {
  if (skip_without_root()) return;
  if (!have("iptables-legacy") || !have("iptables-nft")) {
    WARN("SKIPPED: needs both variants of iptables");
    return;
  }
  FilterRig rig;
  const NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  const auto mixed = [&] { return findings_of(NetworkFindingKind::mixed_iptables, *rig.network, desired).size(); };
  CHECK(mixed() == 0);
  run_words("iptables-legacy -S");  // makes its tables, without rules
  CHECK(mixed() == 0);
  run_words("iptables-nft -t nat -N THEIRS");
  run_words("iptables-nft -t nat -A THEIRS -j RETURN");
  run_words("iptables-legacy -A FORWARD -s 198.51.100.0/24 -j DROP");
  run_words("ip6tables-legacy -t mangle -A FORWARD -s 2001:db8:1::/64 -j DROP");
  const MixedTables tables = observed(*rig.network).filter.iptables;
  CHECK(tables.legacy == std::vector<std::string>{"ip filter", "ip6 mangle"});
  CHECK(std::find(tables.nf_tables.begin(), tables.nf_tables.end(), "ip nat") != tables.nf_tables.end());
  CHECK(mixed() == 1);
}

TEST_CASE("kernel filter: the older ip6tables is looked at, for it tells nobody", "[network][filter][drift]") {
  if (skip_without_root()) return;
  if (!have("ip6tables-legacy")) {
    WARN("SKIPPED: needs the older variant of iptables");
    return;
  }
  const NetNamespace alone;
  net::QuietState state("/proc/sys");
  const std::string before = state.look({});
  run_words("ip6tables-legacy -A FORWARD -s 2001:db8:1::/64 -j DROP");
  CHECK(state.look({}) != before);
}

TEST_CASE("kernel filter: what nftables says nothing of is not read again", "[network][filter][drift]") {
  if (skip_without_root()) return;
  const CountedIptables iptables;
  FilterRig rig({iptables.folder()});
  const NetworkDesired desired = dual_stack();
  converge(*rig.network, desired);
  REQUIRE(planned(*rig.network, desired) == Nothing{});
  const int settled = iptables.runs();
  CHECK(settled > 0);
  CHECK(planned(*rig.network, desired) == Nothing{});
  CHECK(iptables.runs() == settled);
  // Neither is what kube-proxy writes over and over again, but that a table is new.
  run_words("iptables-nft -t nat -N KUBE-SERVICES");
  (void)observed(*rig.network);
  const int with_table = iptables.runs();
  CHECK(with_table > settled);
  run_words("iptables-nft -t nat -A KUBE-SERVICES -j RETURN");
  run_words("iptables-nft -N KUBE-FORWARD");
  CHECK(planned(*rig.network, desired) == Nothing{});
  CHECK(iptables.runs() == with_table);
  // Any change is seen, whoever has heard of it first.
  run_words("iptables-nft -P FORWARD DROP");
  CHECK(observed(*rig.network).filter.forward.v4.policy_drop);
  run_words("ip6tables-nft -I FORWARD -s 2001:db8:1::/64 -j DROP");
  CHECK_FALSE(observed(*rig.network).filter.forward.v6.jump_first);
  run_words("nft add table inet theirs");
  run_words("nft add chain inet theirs forward { type filter hook forward priority 0; policy drop; }");
  CHECK(observed(*rig.network).filter.refusals.size() == 1);
  REQUIRE(rig.io.run(rig.network->changed()));
  iptables.remove("ip6tables");
  CHECK_FALSE(observed(*rig.network).filter.forward.v6.tool_present);
}

TEST_CASE("kernel filter: every tenth look reads all, whatever was heard", "[network][filter][drift]") {
  if (skip_without_root()) return;
  const CountedIptables iptables;
  FilterRig rig({iptables.folder()});
  converge(*rig.network, dual_stack());
  (void)observed(*rig.network);
  const int settled = iptables.runs();
  for (int i = 0; i < 9; ++i) (void)observed(*rig.network);
  CHECK(iptables.runs() == settled);
  (void)observed(*rig.network);
  CHECK(iptables.runs() > settled);
}

TEST_CASE("kernel filter: who waits for news gets it though an observation has taken it first", "[network][filter][drift]") {
  if (skip_without_root()) return;
  FilterRig rig;
  converge(*rig.network, dual_stack());
  forget_news(rig.io, *rig.network);
  const auto waiting = rig.io.start(rig.network->changed());
  rig.io.poll();
  REQUIRE_FALSE(waiting->done);
  run_words("nft delete table ip6 slipway");
  (void)observed(*rig.network);
  rig.io.poll();
  REQUIRE(waiting->done);
  CHECK(waiting->value->has_value());
}

TEST_CASE("kernel filter: the older variant of iptables is read each time", "[network][filter][drift]") {
  if (skip_without_root()) return;
  if (!have("iptables-legacy")) {
    WARN("SKIPPED: needs the older variant of iptables");
    return;
  }
  const CountedIptables iptables("iptables-legacy");
  FilterRig rig({iptables.folder()});
  converge(*rig.network, dual_stack());
  CHECK_FALSE(observed(*rig.network).filter.forward.v4.policy_drop);
  run_words("iptables-legacy -P FORWARD DROP");
  CHECK(observed(*rig.network).filter.forward.v4.policy_drop);
}

TEST_CASE("kernel filter: a reset takes away the tables, the rules and the files", "[network][filter][reset]") {
  if (skip_without_root()) return;
  FilterRig rig;
  const TempDir data;
  std::filesystem::create_directories(rig.etc / "systemd/network");  // somebody's
  UndoPaths paths;
  paths.copies = FileChangeLedger::folder(data.path()) + "/kept";
  auto host = KernelUndo::open(paths);
  REQUIRE(host);
  auto ledger = FileChangeLedger::open(data.path(), [&host](const Intent& intent) { return (*host)->former(intent); });
  REQUIRE(ledger);
  REQUIRE((*ledger)->intend(network_intents(rig.etc.path())));
  converge(*rig.network, dual_stack());
  for (const NetworkFile file : k_network_files) CHECK(std::filesystem::exists(rig.etc / network_file_path(file)));

  const auto seen = (*host)->look((*ledger)->ledger().changes());
  REQUIRE(seen);
  const ResetPlan plan = plan_reset((*ledger)->ledger().changes(), *seen);
  for (const ResetStep& step : plan.steps) {
    INFO(describe(step));
    if (const Status done = (*host)->undo(step); !done) FAIL(done.error().message);
  }
  CHECK(plan.leftovers.empty());
  CHECK(std::filesystem::exists(rig.etc / "systemd/network"));
  CHECK_FALSE(std::filesystem::exists(rig.etc / "NetworkManager"));
  for (const NetworkFile file : k_network_files) CHECK_FALSE(std::filesystem::exists(rig.etc / network_file_path(file)));
  CHECK(run_words("nft list tables").find("slipway") == std::string::npos);
  CHECK(run_words("ip6tables -S").find("SLIPWAY") == std::string::npos);
  CHECK(run_words("sysctl -n net.ipv6.conf.all.forwarding") == "0\n");
}

TEST_CASE("a dhcpcd for all interfaces is seen by its number, unless its configuration spares the pods", "[network][filter]") {
  const TempDir dir;
  const std::string run = dir / "run", proc = dir / "proc", etc = dir / "etc";
  for (const std::string& folder : {run + "/dhcpcd", proc + "/77", etc}) std::filesystem::create_directories(folder);
  CHECK_FALSE(net::dhcpcd_takes_pods(etc, run, proc));
  put_file(run + "/dhcpcd/pid", "77\n");
  CHECK_FALSE(net::dhcpcd_takes_pods(etc, run, proc));  // left over from one that ended
  put_file(proc + "/77/comm", "dhcpcd\n");
  CHECK(net::dhcpcd_takes_pods(etc, run, proc));
  put_file(etc + "/dhcpcd.conf", "denyinterfaces slipway* cni0 veth*\n");
  CHECK_FALSE(net::dhcpcd_takes_pods(etc, run, proc));
}
