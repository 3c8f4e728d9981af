#pragma once
// A host with fakes for all that a Reconciler touches, for the tests of its passes.
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/service/reconcile.hpp"
#include "common/async/notifier.hpp"
#include "common/core/text.hpp"
#include "tests/support/fake_copier.hpp"
#include "tests/support/fake_file_readers.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {

inline HostPaths paths_in(const TempDir& dir) {
  HostPaths paths;
  paths.install_root = dir / "opt";
  paths.unit_dir = dir / "units";
  paths.kubelet_dir = dir / "kubelet";
  paths.kube_proxy_dir = dir / "kube-proxy";
  paths.kubernetes_dir = dir / "kubernetes";
  paths.docker_dir = dir / "docker";
  paths.containerd_dir = dir / "containerd";
  paths.host_root = dir / "rest";
  paths.crictl_config = dir / "crictl.yaml";
  paths.cni_conf_dir = dir / "cni";
  paths.cni_bin_dir = dir / "cni-bin";
  paths.cni_state_dir = dir / "cni-state";
  paths.etcd_dir = dir / "etcd";
  paths.log_dir = dir / "log";
  return paths;
}

// A download that ends when it is let go on.
struct SlowDownload {
  bool on = false;
  bool reached = false;
  Notifier end;
};

inline boost::asio::awaitable<Result<bool>> install_into(std::set<std::string>* installed,
                                                         std::map<std::string, Error>* broken,
                                                         SlowDownload* slow, ArtifactRef artifact) {
  if (slow->on) {
    slow->reached = true;
    boost::asio::awaitable<bool> waiting = slow->end.wait(std::chrono::hours(1));
    co_await std::move(waiting);
  }
  const auto error = broken->find(artifact.component);
  if (error != broken->end()) co_return error->second;
  co_return installed->insert(artifact.component + " " + artifact.version).second;
}

inline boost::asio::awaitable<Status> probe_into(std::vector<std::string>* probes, HealthProbe probe) {
  probes->push_back(probe.host + ":" + std::to_string(probe.port));
  co_return Status{};
}

inline boost::asio::awaitable<Status> collect_into(std::vector<std::set<std::string>>* seen, std::set<std::string> wanted) {
  seen->push_back(std::move(wanted));
  co_return Status{};
}

struct ReconcileWorld {
  explicit ReconcileWorld(const std::string& role = "node") {
    world.coordinator.role = role;
    if (role == "master") world.coordinator.address = "10.77.0.10";
    network = std::make_unique<FakeNetwork>(IpAddress::parse(world.coordinator.address).value(), 24);
    paths = paths_in(world.dir);
    std::filesystem::create_directories(paths.unit_dir);
    units = std::make_unique<UnitWorld>(paths.unit_dir);
    restart_agent();
    desired = world.coordinator.desired(5);
    const std::vector<std::string> names = {"docker",
                                            "cni-plugins",
                                            "kubelet",
                                            "kube-proxy",
                                            "etcd",
                                            "kube-apiserver",
                                            "kube-controller-manager",
                                            "kube-scheduler"};
    for (const std::string& name : names) {
      proto::ComponentRef component;
      component.name = name;
      component.version = name == "docker"        ? "20.10.24"
                          : name == "etcd"        ? "3.4.23"
                          : name == "cni-plugins" ? "1.1.1"
                                                  : "1.20.2";
      component.artifact = proto::ArtifactRef{std::string(64, 'a'), 10, "file"};
      desired.components.push_back(component);
    }
    desired.nodes.push_back({"node2", "other", 1, "node", "10.77.0.14", "10.10.4.0/24"});
  }

  // A new process over the same host.
  void restart_agent() {
    life = std::make_unique<AgentLife>(world);
    REQUIRE(life->attempt());
    ReconcileDeps deps{life->store,
                       world.coordinator,
                       *units,
                       *network,
                       world.clock,
                       world.workers,
                       life->state,
                       [this](ArtifactRef artifact) {
                         return install_into(&installed, &install_errors, &slow, std::move(artifact));
                       },
                       [this](HealthProbe probe) { return probe_into(&probes, std::move(probe)); },
                       [this](std::int32_t pid) { return units->environment_of(pid); },
                       paths,
                       "systemd",
                       [this](const std::vector<std::string>& all) { watched = {all.begin(), all.end()}; },
                       noting,
                       {},
                       [this](std::set<std::string> wanted) { return collect_into(&collected, std::move(wanted)); }};
    deps.copies.copier = &copier;
    deps.copies.noted = [this] { return ledger.changes(); };
    deps.readers = &readers;
    reconciler = std::make_unique<Reconciler>(std::move(deps), 1);
  }
  PassReport pass() {
    life->state.desired = desired;
    return world.io.run(reconciler->pass());
  }
  proto::ComponentRef& component(const std::string& name) {
    for (proto::ComponentRef& c : desired.components) {
      if (c.name == name) return c;
    }
    throw std::runtime_error("no component " + name);
  }

  ServiceFixture world;
  HostPaths paths;
  std::unique_ptr<FakeNetwork> network;
  std::unique_ptr<UnitWorld> units;
  std::unique_ptr<AgentLife> life;
  std::unique_ptr<Reconciler> reconciler;
  proto::DesiredState desired;
  std::set<std::string> installed;
  std::map<std::string, Error> install_errors;
  SlowDownload slow;
  std::vector<std::string> probes;
  std::vector<std::set<std::string>> collected;  // what was wanted each time
  std::function<Status(const std::vector<Intent>& intents)> noting;  // set, then restart_agent()
  std::set<std::string> watched;  // the files of the last pass
  FakeCopier copier;
  FakeFileReaders readers;
  Ledger ledger;  // what note_all() has noted

  // As on a host where nothing of it was there before.
  Status note_all(const std::vector<Intent>& intents) {
    for (const Intent& intent : intents) ledger.add({intent.kind, intent.name, intent.wanted});
    return {};
  }
  void add_artifact(const std::string& name, const std::string& version) {
    proto::ComponentRef component;
    component.name = name;
    component.version = version;
    component.artifact = proto::ArtifactRef{std::string(64, 'b'), 10, "file"};
    desired.components.push_back(component);
  }
};

// Somebody else's network plugin, and a containerd that looks for its programs in one folder.
struct OneFolderWorld : ReconcileWorld {
  OneFolderWorld() {
    noting = [this](const std::vector<Intent>& intents) { return note_all(intents); };
    restart_agent();
    desired.cluster.network.backend = "external";
    desired.cluster.runtime = "containerd";
    desired.cluster.versions.kubernetes = "1.31.0";
    desired.cluster.versions.runc = "1.2.3";
    component("kubelet").version = component("kube-proxy").version = "1.31.0";
    add_artifact("runc", "1.2.3");
    add_artifact("containerd", "");
    set_containerd("1.7.27");
    copier.installed["cni-plugins"] = {{"bridge", std::string(64, '1')}, {"portmap", std::string(64, '2')}};
  }
  void set_containerd(const std::string& version) {
    desired.cluster.versions.containerd = version;
    component("containerd").version = version;
  }
  std::string path(const std::string& name) const { return paths.cni_bin_dir + "/" + name; }
};

inline std::string text_of(const std::vector<std::string>& lines) {
  return join(lines, "\n");
}

}  // namespace slipway::test
