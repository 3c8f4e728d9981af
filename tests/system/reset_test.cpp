// A bare host, listed; the package, a join until Ready, a pod; a reset; the host listed again. What differs is the package manager's.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "common/core/text.hpp"
#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;

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

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  for (const std::string_view line : slipway::split(text, '\n')) {
    if (!slipway::trim(line).empty()) lines.insert(std::string(line));
  }
  return lines;
}

// Everything on the host's file systems, with type, mode, owner, size and target, and the content of files below /etc. Left out is what
// systemd, its journal and a boot write by themselves.
std::set<std::string> files_of() {
  const std::string find =
      "find / /run -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /var/log/journal -o -path /run/log "
      "-o -path /run/systemd -o -path /run/dbus -o -path /run/udev -o -path /run/lock -o -path /run/user -o -path /run/host -o -path /var/lib/systemd "
      "-o -path /run/xtables.lock -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log/dpkg.log -o -path /var/log/apt \\) -prune "
      "-o \\( -type d -printf '%p %y %m %U %G\\n' \\) -o \\( -type l -printf '%p %y -> %l\\n' \\) -o -printf '%p %y %m %U %G %s\\n'; "
      "find /etc -xdev -type f -exec sha256sum {} +";
  return lines_of(must(k_host, {"sh", "-c", find}));
}

std::string kernel_of() {
  // Addresses and routes of the host itself, rules without counters, and the sysctls that a node's components set.
  const std::string look =
      "ip -o link show | sed 's/ qlen.*//'; ip route show; iptables-save | grep -v '^#' | grep -v '^[:*]' | grep -v COMMIT; nft list tables | grep slipway; "
      "sysctl net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops net.ipv4.conf.all.route_localnet; "
      "grep -E ' /(var|opt|run/docker|run/netns|run/containerd)' /proc/self/mounts; true";
  return must(k_host, {"sh", "-c", look});
}

std::vector<std::string> not_in(const std::set<std::string>& some, const std::set<std::string>& others) {
  std::vector<std::string> out;
  for (const std::string& line : some) {
    if (others.count(line) == 0) out.push_back(line);
  }
  return out;
}

// What dpkg installed, by its own list, in which /lib is no link yet; and the links by which it enabled its units.
bool is_package_managers(const std::string& line, const std::set<std::string>& owned) {
  const bool digest = line.size() > 66 && line.substr(64, 2) == "  ";
  std::string path = digest ? line.substr(66) : line.substr(0, line.find(' '));
  const std::string name = path.substr(path.rfind('/') + 1);
  return owned.count(path) != 0 || owned.count("/lib/systemd/system/" + name) != 0;
}

void run_pod() {
  const std::string names = must("node1", {"/opt/slipway/docker/current/docker", "-H", "unix:///run/docker.sock", "images", "--format", "{{.Repository}}:{{.Tag}}"});
  lab::Words save = {"exec", lab::cluster_name(), "node1", "/opt/slipway/docker/current/docker", "save"};
  for (const std::string& name : lines_of(names)) save.push_back(name);
  const lab::Outcome saved = lab::tool(save);
  REQUIRE(saved.ok());
  const std::string tool = SLIPWAY_SOURCE_DIR "/packaging/lab/slipway-lab";
  const lab::Outcome loaded = lab::run({tool, "exec", lab::cluster_name(), k_host, "/opt/slipway/docker/current/docker", "load"}, 120s, saved.out);
  INFO(loaded.err);
  REQUIRE(loaded.ok());
  const std::string image = lab::field_of({"pod", "check-web"}, ".spec.containers[0].image");
  const std::string pod =
      "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"reset-pod\"},\"spec\":{\"nodeName\":\"" + std::string(k_host) +
      "\",\"volumes\":[{\"name\":\"m\",\"emptyDir\":{\"medium\":\"Memory\"}}],\"containers\":[{\"name\":\"c\",\"image\":\"" + image +
      "\",\"imagePullPolicy\":\"Never\",\"command\":[\"/bin/busybox\",\"sleep\",\"100000\"],\"volumeMounts\":[{\"name\":\"m\",\"mountPath\":\"/m\"}],"
      "\"ports\":[{\"containerPort\":80,\"hostPort\":18080}]}]}}";
  lab::write_file("master", "/root/reset-pod.json", pod, "0600");
  lab::must_kubectl({"apply", "-f", "/root/reset-pod.json"});
  eventually("the pod to run", 120s, [] { return lab::field_of({"pod", "reset-pod"}, ".status.phase") == "Running"; }, {k_host});
}

}  // namespace

TEST_CASE("system 96: after a reset a host is what it was, but for the package", "[system][reset]") {
  BareHost host;
  const std::set<std::string> before = files_of();
  const std::string kernel_before = kernel_of();
  BareHost::need({"install", lab::cluster_name(), k_host, "slipway-agent"});
  std::set<std::string> owned = lines_of(must(k_host, {"dpkg", "-L", "slipway-agent"}));

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
