// A cluster on one host, taken away again as docs/packages.md says: reset, then a purge of all three
// packages. What is left is compared with a bare host beside it.
#include <algorithm>
#include <catch2/catch.hpp>

#include "cluster.hpp"
#include "host_state.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;
using lab::Cluster;
using lab::Lines;

namespace {

// As long as the master's name and address: files that hold these have the same size.
constexpr char k_bare[] = "mirror";

void need(const lab::Words& words) {
  const lab::Outcome outcome = lab::tool(words, 300s);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.ok());
}

// What tells one host from another, records of boots, and the accounts, among which the user slipway stays:
// its number must not go to somebody else.
bool differs_anyhow(const std::string& line) {
  static const Lines k_paths = {
      "/etc/hostname",  "/etc/hosts",   "/etc/machine-id", "/etc/slipway-lab/address",
      "/etc/passwd",    "/etc/passwd-", "/etc/group",      "/etc/group-",
      "/etc/shadow",    "/etc/shadow-", "/etc/gshadow",    "/etc/gshadow-",
      "/etc/.pwd.lock", "/run/utmp",    "/var/log/wtmp"};
  return k_paths.count(lab::path_of(line)) != 0;
}

std::vector<std::string> without_differing(std::vector<std::string> lines) {
  lines.erase(std::remove_if(lines.begin(), lines.end(), differs_anyhow), lines.end());
  return lines;
}

// Processes, devices, rules and mounts of a node; the lab's own mounts are on a bare host, too.
std::string running_of(const Cluster& cluster, const std::string& host) {
  const std::string look =
      "ps ax -o comm | grep -E '^(containerd|dockerd|kube|etcd|slipway-(agent|coord))'; "
      "ip -o link show | grep -E 'cni0|docker0|veth|slipway'; iptables-save | grep -E "
      "'KUBE|SLIPWAY|CNI|DOCKER'; "
      "nft list tables | grep slipway; ip route show proto 77; "
      "awk '$2 ~ /^.(var|opt|etc|run.(docker|netns|containerd))/ { print $2 }' /proc/self/mounts | sort; "
      "true";
  return cluster.must(host, {"sh", "-c", look});
}

}  // namespace

TEST_CASE(
    "system 96b: a cluster on one host that is reset and purged leaves the operator's files and an account",
    "[system][reset]") {
  const lab::OwnCluster cluster("syspurge", "10.87.0", {"--single"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  need({"create", cluster.name(), k_bare, "10.87.0.11"});
  need({"boot", cluster.name(), k_bare});
  const Lines bare = lab::files_of(cluster, k_bare);

  const lab::Outcome reset = cluster.on("master", {"slipway-agent", "reset", "--yes"});
  INFO(reset.out << reset.err);
  REQUIRE(reset.ok());
  // The cluster is not the agent's: its coordinator goes on.
  REQUIRE(cluster.on("master", {"slipwayctl", "cluster", "get"}).ok());
  lab::purge(cluster, "master", {"slipway-agent", "slipway-coordinator", "slipway-ctl"});

  // The two files that the operator, here the lab, wrote; and what the lab brought for its own use.
  CHECK(cluster.must("master", {"ls", "-A", "/etc/slipway"}) == "agent.yaml\ncluster.yaml");
  cluster.must("master", {"rm", "-r", "/etc/slipway", "/root/.kube", "/usr/local/bin/kubectl"});
  CHECK(without_differing(lab::left_by_purge(cluster, "master", bare)) == std::vector<std::string>{});
  CHECK(without_differing(lab::not_in(bare, lab::files_of(cluster, "master"))) == std::vector<std::string>{});
  CHECK(running_of(cluster, "master") == running_of(cluster, k_bare));
  CHECK(cluster.on("master", {"grep", "-q", "^slipway:", "/etc/passwd"}).ok());
  cluster.remove();
}
