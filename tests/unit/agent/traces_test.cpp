#include "agent/render/traces.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/store/file_node_store.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

std::vector<Intent> traces(const std::string& runtime, const std::string& kubernetes) {
  NodeContext node;
  node.node_name = "n1";
  node.node_address = IpAddress::parse("10.77.0.11").value();
  node.pod_cidr = Cidr::parse("10.10.1.0/24").value();
  node.cluster.metadata.name = "demo";
  node.cluster.api_server.endpoint = "https://10.77.0.10:6443";
  node.cluster.network.pod_cidr = "10.10.0.0/16";
  node.cluster.network.service_cidr = "10.0.0.0/16";
  node.cluster.runtime = runtime;
  node.cluster.versions = {kubernetes, "3.4.23", "20.10.24", "1.1.1", "1.7.27", "1.1.5", "0.3.17"};
  node.cluster.kubelet.pod_infra_container_image = "slipway/pause:1";
  const auto components = render_components(node);
  INFO((components ? "" : components.error().message));
  REQUIRE(components);
  const TempDir dir;
  const auto credentials = FileNodeStore::open(dir / "agent");
  REQUIRE(credentials);
  return component_intents(*components, node.paths, **credentials);
}

const Intent* find(const std::vector<Intent>& intents, ChangeKind kind, const std::string& name) {
  const auto found = std::find_if(intents.begin(), intents.end(),
                                  [&](const Intent& intent) { return intent.kind == kind && intent.name == name; });
  return found == intents.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("the ledger knows what each runtime leaves, containerd alone too", "[agent][reset][traces]") {
  struct Row {
    const char* runtime;
    const char* kubernetes;
    std::vector<std::string> trees;
    bool namespaces;
  };
  const std::vector<Row> rows = {
      {"docker", "1.20.2", {"/var/lib/docker", "/run/docker", "/run/docker.sock", "/var/lib/containerd", "/run/containerd", "/opt/containerd"}, false},
      {"docker", "1.24.1", {"/var/lib/docker", "/var/lib/containerd", "/run/containerd", "/var/lib/cri-dockerd", "/run/cri-dockerd.sock"}, false},
      {"containerd", "1.30.1", {"/var/lib/containerd", "/run/containerd", "/opt/containerd", "/run/nri"}, true},
  };
  for (const Row& row : rows) {
    INFO(row.runtime << " " << row.kubernetes);
    const auto intents = traces(row.runtime, row.kubernetes);
    // Shims outlive their daemon, whichever it is.
    const Intent* programs = find(intents, ChangeKind::programs, "/opt/slipway");
    REQUIRE(programs != nullptr);
    CHECK(programs->ours_by_name);
    for (const std::string& tree : row.trees) {
      INFO(tree);
      CHECK(find(intents, ChangeKind::tree, tree) != nullptr);
    }
    CHECK((find(intents, ChangeKind::namespaces, "/run/netns/cni-") != nullptr) == row.namespaces);
    CHECK((find(intents, ChangeKind::tree, "/var/lib/docker") != nullptr) == (row.runtime == std::string("docker")));
    for (const Intent& intent : intents) {
      INFO(describe(intent.kind, intent.name));
      CHECK(check_change({intent.kind, intent.name}));
    }
  }
}

TEST_CASE("tables of kube-proxy's nftables mode and of portmap are noted for both families", "[agent][reset][traces]") {
  const auto intents = traces("containerd", "1.33.1");
  for (const char* table : {"ip kube-proxy", "ip6 kube-proxy", "ip cni_hostport", "ip6 cni_hostport"}) {
    const Intent* intent = find(intents, ChangeKind::table, table);
    REQUIRE(intent != nullptr);
    CHECK_FALSE(intent->ours_by_name);  // somebody else's, when it was there before
  }
}
