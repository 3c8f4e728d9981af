#include "coordinator/domain/desired.hpp"

#include <catch2/catch.hpp>

#include "tests/support/cluster_values.hpp"

using namespace slipway;

namespace {

// "runc 1.1.5 node" for each component, in their order.
std::vector<std::string> components(const proto::ClusterSpec& spec) {
  State state;
  std::vector<Change> changes;
  const auto outcome = apply(state, test::demo_init(spec), changes);
  INFO((outcome ? std::string() : outcome.error().message));
  REQUIRE(outcome);
  std::vector<std::string> list;
  for (const proto::ComponentRef& component : desired_components(state)) {
    list.push_back(component.name + " " + component.version + " " + component.role);
  }
  return list;
}

const std::vector<std::string> k_others = {
    "cni-plugins 1.1.1 node",      "kubelet 1.20.2 node",          "kube-proxy 1.20.2 node",
    "etcd 3.4.23 master",          "kube-apiserver 1.20.2 master", "kube-controller-manager 1.20.2 master",
    "kube-scheduler 1.20.2 master"};

std::vector<std::string> with_others(std::vector<std::string> runtime) {
  runtime.insert(runtime.end(), k_others.begin(), k_others.end());
  return runtime;
}

}  // namespace

TEST_CASE("desired components are those of the runtime, whatever other versions are set") {
  proto::ClusterSpec spec = test::demo_spec();
  spec.versions.containerd = "1.6.20";
  spec.versions.runc = "1.1.5";
  spec.versions.cri_dockerd = "0.3.17";
  CHECK(components(spec) == with_others({"docker 20.10.24 node"}));
  spec.runtime = "containerd";
  CHECK(components(spec) == with_others({"containerd 1.6.20 node", "runc 1.1.5 node"}));
  spec.runtime = "docker";
  spec.versions.kubernetes = "1.30.0";
  const auto newer = components(spec);
  CHECK(newer.at(0) == "docker 20.10.24 node");
  CHECK(newer.at(1) == "cri-dockerd 0.3.17 node");
  CHECK(newer.size() == k_others.size() + 2);
}

TEST_CASE("artifacts may be imported for every runtime before it is asked for") {
  const auto names = component_names();
  for (const char* name : {"docker", "cri-dockerd", "containerd", "runc", "cni-plugins", "kubelet", "etcd"}) {
    INFO(name);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}
