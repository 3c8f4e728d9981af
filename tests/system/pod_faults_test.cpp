// Faults of the daemons against the pod network of the running cluster: what pods of nodes that are no party
// to it see of them.
#include <sqlite3.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

#include "cluster.hpp"
#include "common/core/text.hpp"
#include "lab.hpp"
#include "ping_loop.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;
using lab::on;
using lab::PingLoop;
using lab::routes_of;
using lab::RouteWatch;

namespace {

const std::vector<std::string> k_hosts = {"master", "node1", "node2"};

std::string agent_pid(const std::string& host) {
  return lab::main_pid(host, "slipway-agent");
}

bool all_well() {
  return std::all_of(k_hosts.begin(), k_hosts.end(),
                     [](const std::string& host) { return lab::node_ready(host); }) &&
         lab::slipwayctl({"health"}).ok();
}

void wait_until_well() {
  eventually("all nodes Ready and everything healthy", 120s, all_well, k_hosts);
}

// Whatever fails in between, the cluster is the next test's.
struct CoordinatorBack {
  ~CoordinatorBack() { on("master", {"systemctl", "start", "slipway-coordinator"}); }
};

struct AgentsBack {
  ~AgentsBack() {
    for (const std::string& host : k_hosts) on(host, {"systemctl", "start", "slipway-agent"});
  }
};

std::string epoch_now() {
  const std::string json = lab::must_slipwayctl({"cluster", "get", "-o", "json"});
  const std::size_t key = json.find("\"epoch\"");
  REQUIRE(key != std::string::npos);
  const std::size_t start = json.find('"', json.find(':', key)) + 1;
  return json.substr(start, json.find('"', start) - start);
}

// As a restore from a backup leaves it, which begins another history. The coordinator is stopped meanwhile.
void write_epoch(const std::string& before, const std::string& after) {
  const std::string root(slipway::trim(lab::tool({"root", lab::cluster_name(), "master"}).out));
  const std::string file = root + "/var/lib/slipway/coordinator/state.db";
  sqlite3* opened = nullptr;
  const int status = ::sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, ::sqlite3_close);
  REQUIRE(status == SQLITE_OK);
  const std::string change = "UPDATE kv SET value = CAST(replace(CAST(value AS TEXT), '" + before + "', '" +
                             after + "') AS BLOB) WHERE key = CAST('s/cluster/identity' AS BLOB)";
  char* message = nullptr;
  const int changed = ::sqlite3_exec(database.get(), change.c_str(), nullptr, nullptr, &message);
  INFO((message == nullptr ? "" : message));
  REQUIRE(changed == SQLITE_OK);
  REQUIRE(::sqlite3_changes(database.get()) == 1);
}

bool knows_epoch(const std::string& host, const std::string& epoch) {
  return on(host, {"grep", "-q", epoch, "/var/lib/slipway/agent/desired.json"}).ok();
}

// The line of the route to this block; empty: there is none.
std::string route_to(const std::string& host, const std::string& block) {
  const std::string routes = routes_of(host);
  for (const std::string_view line : slipway::split(routes, '\n')) {
    if (line.starts_with(block + " ")) return std::string(line);
  }
  return {};
}

bool leads_to(const std::string& host, const std::string& block, const std::string& address) {
  return route_to(host, block).find("via " + address + " ") != std::string::npos;
}

// The interface of the host's own address, in a lab host.
constexpr char k_interface[] = "host0";

// What new pods of the host get; empty: its configuration says nothing.
std::string pod_mtu_of(const std::string& host) {
  const std::string text = on(host, {"cat", "/etc/cni/net.d/10-slipway.conflist"}).out;
  const std::size_t key = text.find("\"mtu\":");
  if (key == std::string::npos) return {};
  const std::size_t digits = text.find_first_of("0123456789", key);
  return text.substr(digits, text.find_first_not_of("0123456789", digits) - digits);
}

bool all_pods_get(const std::string& mtu) {
  return std::all_of(k_hosts.begin(), k_hosts.end(), [&mtu](const std::string& host) { return pod_mtu_of(host) == mtu; });
}

struct MtuBack {
  ~MtuBack() { on("node2", {"ip", "link", "set", "dev", k_interface, "mtu", "1500"}); }
};

// A node that comes and goes; nothing of it is left at the end.
struct Guest {
  static constexpr char k_name[] = "guest1";
  ~Guest() { lab::slipwayctl({"node", "delete", "--yes", k_name}); }
};

}  // namespace

TEST_CASE("system 88: a coordinator that comes back with another history takes no route and no packet away",
          "[system][network][faults]") {
  const CoordinatorBack at_the_end;
  PingLoop ping("node2", "node1");
  const RouteWatch node1("node1"), node2("node2");
  const std::string routes1 = routes_of("node1"), routes2 = routes_of("node2");
  const std::string before = epoch_now();
  const std::string after = must("master", {"cat", "/proc/sys/kernel/random/uuid"});
  must("master", {"systemctl", "stop", "slipway-coordinator"});
  write_epoch(before, after);
  must("master", {"systemctl", "start", "slipway-coordinator"});
  eventually(
      "the agents to have the new history", 60s,
      [&] { return knows_epoch("node1", after) && knows_epoch("node2", after); }, k_hosts);
  REQUIRE(epoch_now() == after);
  wait_until_well();
  CHECK(routes_of("node1") == routes1);
  CHECK(routes_of("node2") == routes2);
  CHECK(node1.removed() == "");
  CHECK(node2.removed() == "");
  CHECK(ping.stop("system 88").lost == 0);
}

TEST_CASE(
    "system 89: agents that are killed while a block changes hands follow it, and no one else's packets are "
    "lost",
    "[system][network][faults]") {
  const Guest at_the_end;
  const AgentsBack agents;
  PingLoop ping("node2", "node1");
  std::string block;
  {
    lab::ExtraHost first("guest1", 48);
    first.start_agent(lab::coordinator_url(), lab::create_token({"--max-uses", "1"}));
    eventually("the guest to join", 60s,
               [] {
                 return lab::slipwayctl({"node", "get", Guest::k_name}).ok();
               },
               {"guest1"});
    block = lab::pod_cidr_of(Guest::k_name);
    eventually("ways to its pods", 30s,
               [&] {
                 return leads_to("node1", block, first.address()) &&
                        leads_to("node2", block, first.address());
               },
               {"node1", "node2"});
    // A power cut, for good.
    REQUIRE(lab::tool({"kill", lab::cluster_name(), "guest1"}).ok());
  }
  const std::string routes1 = routes_of("node1"), routes2 = routes_of("node2");
  REQUIRE(routes1.find(block + " ") != std::string::npos);
  // node1's agent is away when the block changes hands, node2's comes back in the middle of it.
  must("node1", {"systemctl", "kill", "-s", "KILL", "slipway-agent"});
  must("node1", {"systemctl", "stop", "slipway-agent"});
  const std::string token = lab::must_slipwayctl({"node", "replace", Guest::k_name, "--quiet", "--yes"});
  lab::ExtraHost second("guest2", 49);
  second.start_agent(lab::coordinator_url(), token, Guest::k_name);
  must("node2", {"systemctl", "kill", "-s", "KILL", "slipway-agent"});
  eventually("the block to lead to the new host on node2", 60s,
             [&] { return leads_to("node2", block, second.address()); }, {"node2", "guest2"});
  REQUIRE(lab::pod_cidr_of(Guest::k_name) == block);
  // Nobody looked after node1's: it is as it was.
  CHECK(routes_of("node1") == routes1);
  must("node1", {"systemctl", "start", "slipway-agent"});
  eventually("the block to lead to the new host on node1", 30s,
             [&] { return leads_to("node1", block, second.address()); }, {"node1"});
  // All others' ways are the ones from before.
  for (const auto& [host, routes] :
       {std::pair{std::string("node1"), routes1}, std::pair{std::string("node2"), routes2}}) {
    INFO(host);
    CHECK(slipway::split(routes_of(host), '\n').size() == slipway::split(routes, '\n').size());
  }
  lab::must_slipwayctl({"node", "delete", "--yes", Guest::k_name});
  eventually("the ways to be gone", 60s,
             [&] { return route_to("node1", block).empty() && route_to("node2", block).empty(); },
             {"node1", "node2"});
  REQUIRE(agent_pid("node2") != "0");
  CHECK(ping.stop("system 89").lost == 0);
  wait_until_well();
}

TEST_CASE("system 89b: a host that starts while the coordinator is away finds the ways to all pods by itself",
          "[system][network][faults]") {
  const CoordinatorBack at_the_end;
  PingLoop ping("master", "node1");
  const std::string routes = routes_of("node2");
  REQUIRE_FALSE(routes.empty());
  must("master", {"systemctl", "stop", "slipway-coordinator"});
  REQUIRE(lab::tool({"reboot", lab::cluster_name(), "node2"}).ok());
  eventually("node2's ways to be there", 60s, [&] { return routes_of("node2") == routes; }, {"node2"});
  eventually("its pods to be reached, and to reach others", 120s,
             [] { return lab::node_ready("node2") && lab::pods_talk(); }, {"node2"});
  CHECK_FALSE(on("master", {"systemctl", "is-active", "--quiet", "slipway-coordinator"}).ok());
  must("master", {"systemctl", "start", "slipway-coordinator"});
  wait_until_well();
  CHECK(routes_of("node2") == routes);
  CHECK(ping.stop("system 89b").lost == 0);
}

TEST_CASE("system 89c: one node with a smaller MTU makes the pods of all nodes so, says which it is, and lets them grow again",
          "[system][network][faults]") {
  const MtuBack at_the_end;
  REQUIRE(all_pods_get("1500"));
  PingLoop ping("node1", "master");
  const std::string kubelet = lab::main_pid("node1", "kubelet");
  must("node2", {"ip", "link", "set", "dev", k_interface, "mtu", "1400"});
  eventually("the pods of all nodes to be made for 1400 bytes", 150s, [] { return all_pods_get("1400"); }, k_hosts);
  const std::string health = lab::slipwayctl({"health"}).out;
  INFO(health);
  CHECK(health.find("pods have 1400 everywhere, for nodes node2 can carry no more") != std::string::npos);
  must("node2", {"ip", "link", "set", "dev", k_interface, "mtu", "1500"});
  eventually("the pods of all nodes to be made for 1500 bytes again", 150s, [] { return all_pods_get("1500"); }, k_hosts);
  CHECK(lab::main_pid("node1", "kubelet") == kubelet);
  CHECK(ping.stop("system 89c").lost == 0);
  wait_until_well();
}
