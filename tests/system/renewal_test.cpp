// The cluster under test has client certificates of 15 minutes, the shortest life with which renewal at two thirds (counted from
// NotBefore, which is five minutes before the issue) leaves the five minutes that client-go takes to notice a changed file.
#include <algorithm>
#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;
using lab::must_kubectl;

namespace {

std::string ready_since(const std::string& node) {
  return must_kubectl({"get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}"});
}

// Renewals of its kubelet's credential that the node's agent has told of since its start.
std::size_t renewals_of(const std::string& node) {
  const std::string journal = lab::on(node, {"journalctl", "--no-pager", "-q", "-u", "slipway-agent", "--grep", "certificates renewed"}).out;
  std::size_t count = 0;
  for (const std::string_view line : slipway::split(journal, '\n')) {
    if (line.find("kubeletClient") != std::string_view::npos) ++count;
  }
  return count;
}

std::string serial_in_use(const std::string& node) {
  return lab::must(node, {"openssl", "x509", "-noout", "-serial", "-in", "/var/lib/kubelet/pki/kubeletClient.crt"});
}

}  // namespace

TEST_CASE("system 90: node1 stays Ready and its pod runs on through three renewals", "[system][renewal]") {
  const std::string since = ready_since("node1");
  const std::string restarts = must_kubectl({"get", "pod", "check-web", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"});
  const std::string container = must_kubectl({"get", "pod", "check-web", "-o", "jsonpath={.status.containerStatuses[0].containerID}"});
  const std::string first = serial_in_use("node1");
  // Tests before this one may have seen three; one is seen here in any case.
  const std::size_t wanted = std::max(std::size_t{3}, renewals_of("node1") + 1);
  lab::eventually("three renewals of node1's kubelet credential", 2700s, [wanted] { return renewals_of("node1") >= wanted; }, {"node1"});
  REQUIRE(serial_in_use("node1") != first);
  REQUIRE(lab::node_ready("node1"));
  // Not once NotReady meanwhile: the condition has not changed since.
  REQUIRE(ready_since("node1") == since);
  REQUIRE(restarts == "0");
  REQUIRE(must_kubectl({"get", "pod", "check-web", "-o", "jsonpath={.status.containerStatuses[0].containerID}"}) == container);
  // And kubelet's credential works now: it writes its lease with it.
  const std::string lease = must_kubectl({"get", "lease", "-n", "kube-node-lease", "node1", "-o", "jsonpath={.spec.renewTime}"});
  lab::eventually("a newer lease of node1", 60s, [&] {
    return must_kubectl({"get", "lease", "-n", "kube-node-lease", "node1", "-o", "jsonpath={.spec.renewTime}"}) != lease;
  });
}
