// All six authorities of the living cluster are replaced at once, as an operator would do it after a leak.
#include <catch2/catch.hpp>
#include <set>

#include "lab.hpp"
#include "proto/codec.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;
using lab::must_slipwayctl;

namespace {

const lab::Words k_kinds = {"fabric", "kubeClient", "kubeletServing", "apiserver", "frontProxy", "etcd"};

std::vector<slipway::proto::CaView> authorities() {
  const auto answer = lab::slipwayctl({"certs", "status", "-o", "json"});
  if (!answer.ok()) return {};
  const auto list = slipway::proto::decode<slipway::proto::CaList>(answer.out);
  return list ? list->items : std::vector<slipway::proto::CaView>();
}

// True when each of the six passes; what does not is shown when the test fails.
bool all_of_them(const std::function<std::string(const slipway::proto::CaView&)>& objection) {
  const auto cas = authorities();
  bool good = cas.size() == k_kinds.size();
  for (const auto& ca : cas) {
    const std::string against = objection(ca);
    if (against.empty()) continue;
    UNSCOPED_INFO(ca.kind << ": " << against);
    good = false;
  }
  return good;
}

std::string first_of(const std::vector<std::string>& items) { return items.empty() ? "" : items.front(); }

void rotate(const std::string& step) {
  for (const std::string& kind : k_kinds) must_slipwayctl({"certs", "rotate-ca", kind, "--" + step, "--yes"});
}

void renew_kubeconfig() { lab::write_file("master", "/root/.kube/config", must_slipwayctl({"cluster", "kubeconfig"}) + "\n", "0600"); }

void renew_operator() {
  must("master", {"systemctl", "stop", "slipway-coordinator"});
  must("master", {"slipway-coordinator", "admin-conf"});
  must("master", {"systemctl", "start", "slipway-coordinator"});
  eventually("the coordinator to answer", 60s, [] { return lab::slipwayctl({"certs", "status"}).ok(); });
}

// What other tests left: a token of before holds the authority that it pins.
void delete_tokens() {
  const auto list = slipway::proto::decode<slipway::proto::TokenList>(must_slipwayctl({"token", "list", "-o", "json"}));
  REQUIRE(list);
  for (const auto& token : list->items) must_slipwayctl({"token", "delete", token.id, "--yes"});
}

std::string container() { return lab::field_of({"pod", "check-web"}, ".status.containerStatuses[0].containerID"); }
std::string restarts() { return lab::field_of({"pod", "check-web"}, ".status.containerStatuses[0].restartCount"); }
std::string lease_of(const std::string& node) { return lab::field_of({"lease", "-n", "kube-node-lease", node}, ".spec.renewTime"); }

}  // namespace

TEST_CASE("system 95: all authorities are replaced under the running cluster, and no pod notices", "[system][ca]") {
  const std::string before = container();
  REQUIRE_FALSE(before.empty());
  std::set<std::string> old;
  for (const auto& ca : authorities()) old.insert(ca.signing.sha256);
  REQUIRE(old.size() == k_kinds.size());
  rotate("prepare");
  eventually("all nodes to trust both", 600s, [] {
    return all_of_them([](const auto& ca) { return first_of(ca.waiting_for); });
  }, {"master", "node1"});
  renew_kubeconfig();  // trusts both
  rotate("activate");
  renew_kubeconfig();  // is signed by the new one
  renew_operator();
  delete_tokens();
  eventually("nothing to need the old ones", 600s, [] {
    return all_of_them([](const auto& ca) { return first_of(ca.held_by); });
  }, {"master", "node1"});
  rotate("retire");
  renew_kubeconfig();  // trusts the new one only
  eventually("one authority of each kind", 60s, [&] {
    return all_of_them([&](const auto& ca) { return ca.phase == "stable" && old.count(ca.signing.sha256) == 0 ? "" : ca.phase; });
  });
  eventually("everything healthy", 300s, [] { return lab::slipwayctl({"health"}).ok(); }, {"master", "node1"});
  // The control plane takes up the smaller bundles meanwhile, and kube-apiserver is away for a moment.
  for (const std::string node : {"master", "node1", "node2"}) {
    eventually(node + " Ready", 120s, [&] { return lab::node_ready(node); }, {node});
    std::string last;
    eventually("a newer lease of " + node, 120s, [&] {
      const std::string now = lease_of(node);
      const bool newer = !last.empty() && !now.empty() && now != last;
      last = now;
      return newer;
    }, {node});
  }
  eventually("pods to reach each other", 60s, [] { return lab::pods_talk(); }, {"node1", "node2"});
  // kube-apiserver trusts kubelet's new serving certificate.
  eventually("logs of a pod", 60s, [] { return lab::kubectl({"logs", "check-client"}).ok(); }, {"node2"});
  eventually("the pod to be the same", 60s, [&] { return container() == before && restarts() == "0"; }, {"node1"});
}
