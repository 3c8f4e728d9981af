// containerd as the runtime, under the real kubelet: a master and one node, made and removed by this test.
#include <catch2/catch.hpp>

#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;

namespace {

constexpr char k_cluster[] = "sysctd";

std::string quickstart() {
  return std::string(SLIPWAY_SOURCE_DIR) + "/packaging/quickstart";
}

// In this test's own cluster.
std::string in(const std::string& host, const lab::Words& argv) {
  lab::Words words = {"exec", k_cluster, host};
  words.insert(words.end(), argv.begin(), argv.end());
  const lab::Outcome outcome = lab::tool(words);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.ok());
  return outcome.out;
}

void remove_cluster() {
  const auto removed = lab::run({quickstart(), "--name", k_cluster, "--down"}, 120s);
  INFO(removed.out << removed.err);
  CHECK(removed.ok());
  CHECK(lab::tool({"traces", k_cluster}).out.empty());
}

struct Removal {
  ~Removal() { lab::run({quickstart(), "--name", k_cluster, "--down"}, 120s); }
};

// With a pod that runs: its shim and its namespace outlive containerd.
void reset_leaves_nothing(const std::string& host) {
  REQUIRE(in(host, {"sh", "-c", "ls -d /run/netns/cni-*"}).find("/run/netns/cni-") == 0);
  const auto reset = lab::tool({"exec", k_cluster, host, "slipway-agent", "reset", "--yes"}, 180s);
  INFO(reset.out << reset.err);
  REQUIRE(reset.ok());
  CHECK(in(host, {"sh", "-c", "ps ax -o comm | grep -E 'containerd|kubelet|kube-proxy|pause' || true"}).empty());
  // The lab mounts the runtimes' folders: these stay, empty as they were.
  CHECK(in(host, {"sh", "-c", "ls -A /var/lib/containerd"}).empty());
  CHECK(in(host, {"sh", "-c", "grep -E ' (/run/(containerd|netns|nri)|/var/lib/(containerd/|kubelet)|/opt/slipway)' /proc/self/mounts || true"}).empty());
  CHECK(in(host, {"sh", "-c", "ls -d /run/containerd /run/netns /run/nri /opt/containerd /opt/slipway /etc/crictl.yaml /var/lib/kubelet 2>/dev/null || true"}).empty());
  CHECK(in(host, {"sh", "-c", "nft list tables | grep -E 'slipway|kube-proxy|cni_hostport' || true"}).empty());
}

}  // namespace

TEST_CASE("system 81: containerd runs the pods of a master and a node, without docker, and a reset ends them",
          "[system][containerd]") {
  const Removal at_the_end;
  const auto made = lab::run({quickstart(), "--nodes", "1", "--runtime", "containerd", "--name", k_cluster,
                              "--net", "10.82.0.0/24", "--rebuild"},
                             900s);
  INFO(made.out << made.err);
  REQUIRE(made.ok());
  // The quickstart has asked a pod on the other host by its address and by its service's.
  REQUIRE(made.out.find("pod to pod:") != std::string::npos);
  REQUIRE(made.out.find("pod to service:") != std::string::npos);
  const std::string runtimes = in("master", {"kubectl", "get", "nodes", "-o",
                                             "jsonpath={.items[*].status.nodeInfo.containerRuntimeVersion}"});
  REQUIRE(runtimes.find("containerd://") == 0);
  REQUIRE(runtimes.find("containerd://", 1) != std::string::npos);
  REQUIRE(runtimes.find("docker") == std::string::npos);
  REQUIRE(in("node1", {"systemctl", "is-active", "containerd", "kubelet"}) == "active\nactive\n");
  REQUIRE(in("node1", {"systemctl", "show", "-p", "LoadState", "--value", "docker.service"}) ==
          "not-found\n");
  REQUIRE(in("node1", {"cat", "/etc/crictl.yaml"}).find("unix:///run/containerd/containerd.sock") !=
          std::string::npos);
  // A runtime that starts anew leaves its pods alone.
  const std::string before = in("master", {"kubectl", "get", "pod", "check-web", "-o",
                                           "jsonpath={.status.containerStatuses[0].containerID}"});
  in("node1", {"systemctl", "restart", "containerd"});
  lab::eventually("the pod to be seen as it was", 60s,
                  [&] {
                    const auto now =
                        lab::tool({"exec", k_cluster, "master", "kubectl", "get", "pod", "check-web", "-o",
                                   "jsonpath={.status.containerStatuses[0].containerID} "
                                   "{.status.containerStatuses[0].restartCount} {.status.phase}"});
                    return now.ok() && now.out == before + " 0 Running";
                  },
                  {});
  reset_leaves_nothing("node1");
  remove_cluster();
}
