// A bare host, listed; the package, a join until Ready, a pod; a reset; the host listed again. What differs is the package manager's, and
// after a purge nothing does.
#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "host_state.hpp"
#include "lab.hpp"
#include "pods.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::Lines;
using lab::must;
using lab::not_in;

namespace {

constexpr char k_host[] = "reset1";
constexpr int k_octet = 61;

class BareHost {
 public:
  BareHost() {
    lab::tool({"destroy", lab::cluster_name(), k_host});
    need({"create", lab::cluster_name(), k_host, lab::network_prefix() + "." + std::to_string(k_octet)});
    need({"boot", lab::cluster_name(), k_host});
  }
  ~BareHost() { lab::tool({"destroy", lab::cluster_name(), k_host}); }
  BareHost(const BareHost&) = delete;
  BareHost& operator=(const BareHost&) = delete;
  static void need(const lab::Words& words) {
    const lab::Outcome outcome = lab::tool(words, 300s);
    INFO(slipway::join(words, " ") << ": " << outcome.err);
    REQUIRE(outcome.ok());
  }
};

std::string kernel_of() {
  // Addresses and routes of the host itself, rules without counters, and the sysctls that a node's components set.
  const std::string look =
      "ip -o link show | sed 's/ qlen.*//'; ip route show; iptables-save | grep -v '^#' | grep -v '^[:*]' | grep -v COMMIT; nft list tables | grep slipway; "
      "sysctl net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops net.ipv4.conf.all.route_localnet; "
      "grep -E ' /(var|opt|run/docker|run/netns|run/containerd)' /proc/self/mounts; true";
  return must(k_host, {"sh", "-c", look});
}

// What dpkg installed, by its own list, in which /lib is no link yet; and the links by which it enabled its units.
bool is_package_managers(const std::string& line, const Lines& owned) {
  const std::string path = lab::path_of(line);
  const std::string name = path.substr(path.rfind('/') + 1);
  return owned.count(path) != 0 || owned.count("/lib/systemd/system/" + name) != 0;
}

void run_pod() {
  lab::copy_images(k_host);
  lab::run_pod({"reset-pod", k_host,
                R"("command":["/bin/busybox","sleep","100000"],"volumeMounts":[{"name":"m","mountPath":"/m"}],)"
                R"("ports":[{"containerPort":80,"hostPort":18080}])",
                R"("volumes":[{"name":"m","emptyDir":{"medium":"Memory"}}])"});
}

}  // namespace

TEST_CASE("system 96: after a reset a host is what it was, but for the package, and after a purge without it", "[system][reset]") {
  BareHost host;
  const lab::Cluster cluster = lab::shared_cluster();
  const auto files_of = [&cluster] { return lab::files_of(cluster, k_host); };
  const Lines before = files_of();
  const std::string kernel_before = kernel_of();
  BareHost::need({"install", lab::cluster_name(), k_host, "slipway-agent"});
  const Lines owned = lab::lines_of(must(k_host, {"dpkg", "-L", "slipway-agent"}));

  // A lab's host may have errors that the join passes over; what was mended stands in the ledger, and goes with the rest.
  const lab::Outcome fixed = lab::on(k_host, {"slipway-agent", "preflight", "--fix"});
  INFO(fixed.out << fixed.err);
  REQUIRE(fixed.err.find("fixed: ") != std::string::npos);
  must(k_host, {"test", "-s", "/etc/sysctl.d/90-slipway.conf"});
  must(k_host, {"test", "-s", "/var/lib/slipway/agent/ledger/changes"});

  lab::write_file(k_host, "/root/token", lab::create_token({"--node", k_host}) + "\n", "0600");
  must(k_host, {"slipway-agent", "join", "--server", lab::coordinator_url(), "--token-file", "/root/token", "--ignore-preflight-errors", "all"});
  must(k_host, {"rm", "/root/token"});
  eventually("the node to be Ready", 240s, [] { return lab::node_ready(k_host); }, {k_host});
  run_pod();
  // Somebody's own, beside ours.
  must(k_host, {"sh", "-c", "echo '{}' >/etc/cni/net.d/99-mine.conflist; iptables -N MINE; iptables -A INPUT -s 192.0.2.1 -j MINE; ip route add 198.51.100.0/24 dev lo"});

  const std::string plan = must(k_host, {"slipway-agent", "reset", "--dry-run"});
  INFO(plan);
  REQUIRE(lab::node_ready(k_host));
  const lab::Outcome first = lab::on(k_host, {"slipway-agent", "reset", "--yes"}, 180s);
  INFO(first.out << first.err);
  // The folder that we made holds something of somebody's: it is told, and nothing else is.
  REQUIRE(first.status == 1);
  REQUIRE(first.out.find("99-mine.conflist") != std::string::npos);
  must(k_host, {"sh", "-c", "rm /etc/cni/net.d/99-mine.conflist; iptables -S INPUT | grep -q MINE && ip route show 198.51.100.0/24 | grep -q lo"});
  must(k_host, {"sh", "-c", "iptables -D INPUT -s 192.0.2.1 -j MINE; iptables -X MINE; ip route del 198.51.100.0/24 dev lo"});
  const lab::Outcome second = lab::on(k_host, {"slipway-agent", "reset", "--yes"}, 120s);
  INFO(second.out << second.err);
  REQUIRE(second.ok());

  std::vector<std::string> more;
  for (const std::string& line : not_in(files_of(), before)) {
    if (!is_package_managers(line, owned)) more.push_back(line);
  }
  CHECK(more == std::vector<std::string>{});
  CHECK(not_in(before, files_of()) == std::vector<std::string>{});
  CHECK(kernel_of() == kernel_before);
  REQUIRE(must(k_host, {"sh", "-c", "ps ax -o comm | grep -E 'containerd|dockerd|kubelet|kube-proxy|pause' || true"}).empty());
  // A third one has nothing to do, and the host can join again.
  REQUIRE(lab::on(k_host, {"slipway-agent", "reset", "--yes"}).ok());
  lab::purge(cluster, k_host, {"slipway-agent"});
  CHECK(lab::left_by_purge(cluster, k_host, before) == std::vector<std::string>{});
  CHECK(not_in(before, files_of()) == std::vector<std::string>{});
  CHECK(kernel_of() == kernel_before);
  lab::must_slipwayctl({"node", "delete", "--yes", k_host});
  lab::kubectl({"delete", "pod", "reset-pod", "--force", "--grace-period=0"});
}

namespace {

// Does the damage, then prints after how many tenths of a second `mended` holds; 100: it did not within ten seconds.
std::string tenths_until(const std::string& damage, const std::string& mended) {
  return must("node1", {"bash", "-c", damage + "; i=0; while [ $i -lt 100 ] && ! { " + mended + "; } >/dev/null 2>&1; do sleep 0.1; i=$((i+1)); done; echo $i"});
}

}  // namespace

TEST_CASE("system 97: what somebody changes on a node is put back within five seconds and told", "[system][drift]") {
  struct Row {
    const char* damage;
    const char* mended;
    const char* told;  // in the agent's journal
  };
  const std::vector<Row> rows = {
      {"sysctl -qw net.ipv4.ip_forward=0", "[ $(sysctl -n net.ipv4.ip_forward) = 1 ]", "set net/ipv4/ip_forward = 1"},
      {"ip route del $(ip route show proto 77 | grep via | head -1) proto 77", "ip route show proto 77 | grep via", "put route"},
      {"iptables -D FORWARD -j SLIPWAY-FORWARD", "iptables -C FORWARD -j SLIPWAY-FORWARD", "accept in FORWARD"},
      {"nft delete table ip slipway", "nft list table ip slipway", "put the masquerade table"},
      {"systemctl stop kubelet", "systemctl is-active -q kubelet", "kubelet.service was stopped"},
      {"systemctl disable -q kubelet", "systemctl is-enabled -q kubelet", "enabled kubelet.service"},
      {"rm /etc/cni/net.d/10-slipway.conflist", "test -s /etc/cni/net.d/10-slipway.conflist", "10-slipway.conflist"},
      {"rm /opt/slipway/cni-plugins/current/bridge", "test -x /opt/slipway/cni-plugins/current/bridge", "programs of cni-plugins"}};
  for (const Row& row : rows) {
    INFO(row.damage);
    const auto tenths = slipway::parse_u64(tenths_until(row.damage, row.mended));
    REQUIRE(tenths);
    CHECK(*tenths <= 50);
    eventually("it to be told", 10s, [&row] {
      return lab::on("node1", {"journalctl", "--no-pager", "-q", "-u", "slipway-agent", "-o", "cat"}).out.find(row.told) != std::string::npos;
    }, {"node1"});
  }
  eventually("the condition", 30s, [] { return lab::slipwayctl({"node", "get", "node1", "-o", "json"}).out.find("put back at") != std::string::npos; }, {"node1"});
}
