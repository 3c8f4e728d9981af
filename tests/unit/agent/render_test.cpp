#include "agent/render/component.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/domain/unit_parse.hpp"
#include "common/config/yaml_to_json.hpp"

using namespace slipway;
using Json = nlohmann::json;

namespace {

NodeContext context(const std::string& role) {
  NodeContext node;
  node.node_name = "n1";
  node.node_address = IpAddress::parse("10.77.0.11").value();
  node.role = role;
  node.pod_cidr = Cidr::parse("10.10.1.0/24").value();
  node.cluster.metadata.name = "demo";
  node.cluster.api_server.endpoint = "https://10.77.0.10:6443";
  node.cluster.network.pod_cidr = "10.10.0.0/16";
  node.cluster.network.service_cidr = "10.0.0.0/16";
  node.cluster.versions = {"1.20.2", "3.4.23", "20.10.24", "1.1.1"};
  node.cluster.kubelet.pod_infra_container_image = "slipway/pause:1";
  return node;
}

std::vector<ComponentFiles> rendered(const NodeContext& node) {
  auto components = render_components(node);
  INFO((components ? "" : components.error().message));
  REQUIRE(components);
  return *components;
}

ComponentFiles named(const std::vector<ComponentFiles>& components, const std::string& name) {
  for (const ComponentFiles& component : components) {
    if (component.name == name) return component;
  }
  FAIL("no component " << name);
  return {};
}

Json file(const ComponentFiles& component, const std::string& path) {
  for (const RenderedFile& f : component.files) {
    if (f.path == path) return Json::parse(yaml_to_json(f.content, path).value());
  }
  FAIL("no file " << path);
  return {};
}

bool has(const ComponentFiles& component, const std::string& argument) {
  const auto& exec = component.unit->exec;
  return std::find(exec.begin(), exec.end(), argument) != exec.end();
}

std::string refusal(const NodeContext& node) {
  const auto components = render_components(node);
  if (components) return "accepted";
  CHECK(components.error().code == Errc::invalid);
  return components.error().message;
}

}  // namespace

TEST_CASE("render: components of each role in the order of their start") {
  const auto names = [](const std::string& role) {
    std::vector<std::string> list;
    for (const ComponentFiles& component : rendered(context(role))) list.push_back(component.name);
    return list;
  };
  CHECK(names("node") == std::vector<std::string>{"containerd", "docker", "kubelet", "kube-proxy", "cni"});
  CHECK(names("master") == std::vector<std::string>{"containerd", "docker", "etcd", "kube-apiserver", "kube-controller-manager",
                                                    "kube-scheduler", "kubelet", "kube-proxy", "cni"});
}

TEST_CASE("render: every unit can be written, every flag's file is written or asked for") {
  for (const ComponentFiles& component : rendered(context("master"))) {
    INFO(component.name);
    CHECK_FALSE(component.version.empty());
    if (!component.unit) continue;
    CHECK(render(*component.unit));
    std::set<std::string> known;
    for (const RenderedFile& f : component.files) known.insert(f.path);
    for (const FileInput& input : component.inputs) known.insert(input.path);
    for (const std::string& argument : component.unit->exec) {
      const std::string value = argument.substr(argument.find('=') + 1);
      const bool credential = value.ends_with(".crt") || value.ends_with(".key") || value.ends_with(".pub") ||
                              value.ends_with("kubeconfig") || value.ends_with(".yaml") || value.ends_with(".json");
      if (credential) {
        INFO(argument);
        CHECK(known.contains(value));
      }
    }
    for (const FileInput& input : component.inputs) {
      const auto parent = input.path.substr(0, input.path.rfind('/'));
      CHECK(std::any_of(component.dirs.begin(), component.dirs.end(), [&](const RenderedDir& d) { return d.path == parent && d.mode == 0700; }));
    }
  }
}

TEST_CASE("render: kubelet") {
  const ComponentFiles kubelet = named(rendered(context("node")), "kubelet");
  for (const char* argument : {"/opt/slipway/kubelet/current/kubelet", "--node-ip=10.77.0.11", "--hostname-override=n1", "--network-plugin=cni",
                               "--cni-bin-dir=/opt/slipway/cni-plugins/current", "--pod-infra-container-image=slipway/pause:1"}) {
    CHECK(has(kubelet, argument));
  }
  const Json config = file(kubelet, "/var/lib/kubelet/config.yaml");
  CHECK(config["authentication"]["anonymous"]["enabled"] == false);
  CHECK(config["authentication"]["x509"]["clientCAFile"] == "/var/lib/kubelet/pki/kubeClient-ca.crt");
  CHECK(config["authorization"]["mode"] == "Webhook");
  CHECK(config["clusterDNS"] == Json::array({"10.0.0.10"}));
  CHECK(config["readOnlyPort"] == 0);
  CHECK(config["maxPods"] == 110);
  const Json access = file(kubelet, "/var/lib/kubelet/kubeconfig");
  CHECK(access["users"][0]["user"]["client-certificate"] == "/var/lib/kubelet/pki/kubeletClient.crt");
  CHECK(access["clusters"][0]["cluster"]["server"] == "https://10.77.0.10:6443");
  CHECK(access["contexts"][0]["context"] == Json{{"cluster", "demo"}, {"user", "kubeletClient"}});
  CHECK(kubelet.unit->kill_mode == KillMode::process);
  for (const FileInput& input : kubelet.inputs) CHECK((input.name != "kubeletServing" || input.restart));
}

TEST_CASE("render: overrides merge, what Slipway decides does not") {
  NodeContext node = context("node");
  node.cluster.kubelet.config.text = R"({"maxPods":30,"evictionHard":{"memory.available":"50Mi"}})";
  node.cluster.kubelet.extra_args = {"--v=4"};
  node.cluster.kube_proxy.config.text = R"({"conntrack":{"maxPerCore":0,"min":0}})";
  node.cluster.docker.config.text = R"({"default-runtime":"lab","runtimes":{"lab":{"path":"/x"}},"exec-opts":["native.cgroupdriver=cgroupfs"]})";
  const auto components = rendered(node);
  const Json kubelet = file(named(components, "kubelet"), "/var/lib/kubelet/config.yaml");
  CHECK(kubelet["maxPods"] == 30);
  CHECK(kubelet["evictionHard"]["memory.available"] == "50Mi");
  CHECK(kubelet["cgroupDriver"] == "cgroupfs");
  CHECK(named(components, "kubelet").unit->exec.back() == "--v=4");
  const Json proxy = file(named(components, "kube-proxy"), "/var/lib/kube-proxy/config.yaml");
  CHECK(proxy["conntrack"]["min"] == 0);
  CHECK(proxy["clusterCIDR"] == "10.10.0.0/16");
  const Json docker = file(named(components, "docker"), "/etc/docker/daemon.json");
  CHECK(docker["default-runtime"] == "lab");
  CHECK(docker["iptables"] == false);
  CHECK(docker["exec-opts"] == Json::array({"native.cgroupdriver=cgroupfs"}));

  const auto refused = [&](auto change, const char* why) {
    NodeContext other = context("node");
    change(other.cluster);
    CHECK_THAT(refusal(other), Catch::Contains(why));
  };
  refused([](auto& c) { c.kubelet.config.text = R"({"readOnlyPort":10255})"; }, "kubelet.config.readOnlyPort cannot be set");
  refused([](auto& c) { c.kubelet.config.text = R"({"authentication":{}})"; }, "kubelet.config.authentication cannot be set");
  refused([](auto& c) { c.kubelet.config.text = "[]"; }, "kubelet.config must be a map");
  refused([](auto& c) { c.kubelet.extra_args = {"--anonymous-auth=true"}; }, "--anonymous-auth cannot be set");
  refused([](auto& c) { c.kubelet.extra_args = {"--config=/x"}; }, "--config cannot be set");
  refused([](auto& c) { c.kubelet.extra_args = {"v=4"}; }, "is no flag");
  refused([](auto& c) { c.docker.config.text = R"({"hosts":["tcp://0.0.0.0:2375"]})"; }, "docker.config.hosts cannot be set");
  refused([](auto& c) { c.kube_proxy.config.text = R"({"clientConnection":{}})"; }, "kubeProxy.config.clientConnection cannot be set");
  refused([](auto& c) {
    c.kubelet.config.text = R"({"cgroupDriver":"systemd"})";
    c.docker.config.text = R"({"exec-opts":["native.cgroupdriver=cgroupfs"]})";
  }, "make them the same");
}

TEST_CASE("render: what cannot work is refused in words") {
  const auto refused = [](auto change, const char* why) {
    NodeContext node = context("master");
    change(node);
    CHECK_THAT(refusal(node), Catch::Contains(why));
  };
  refused([](NodeContext& n) { n.cluster.runtime = "rkt"; }, "rkt was retired in 2019");
  refused([](NodeContext& n) { n.cluster.versions.kubernetes = "1.24.0"; }, "docker with kubelet 1.24 or newer requires cri-dockerd");
  refused([](NodeContext& n) { n.cluster.versions.kubernetes = "1.17.9"; }, "too old");
  refused([](NodeContext& n) { n.cluster.versions.kubernetes = "latest"; }, "write it like 1.20.2");
  refused([](NodeContext& n) { n.cluster.api_server.endpoint = "http://10.77.0.10:8080"; }, "must start with https://");
  refused([](NodeContext& n) { n.cluster.api_server.endpoint = "https://10.77.0.10:99999"; }, "port");
  refused([](NodeContext& n) { n.cluster.network.dns_ip = "10.10.0.10"; }, "no address of the service range");
  refused([](NodeContext& n) { n.pod_cidr = Cidr::parse("10.11.1.0/24").value(); }, "not within network.podCIDR");
  refused([](NodeContext& n) { n.pod_cidr = Cidr::parse("fd00::/64").value(); }, "this agent can only run IPv4 pods");
  refused([](NodeContext& n) { n.cluster.network.pod_cidr = "10.10.0.1/16"; }, "network.podCIDR");
  refused([](NodeContext& n) { n.node_name = "N1"; }, "no DNS name");
}

TEST_CASE("render: with several pools the pods' traffic is told by the node's own block") {
  NodeContext node = context("node");
  CHECK(file(named(rendered(node), "kube-proxy"), "/var/lib/kube-proxy/config.yaml").value("clusterCIDR", "") == "10.10.0.0/16");
  node.pod_ranges = {Cidr::parse("10.10.0.0/16").value(), Cidr::parse("fd00:10::/48").value()};
  CHECK(file(named(rendered(node), "kube-proxy"), "/var/lib/kube-proxy/config.yaml").contains("clusterCIDR"));
  node.pod_ranges.push_back(Cidr::parse("10.20.0.0/16").value());
  node.pod_cidr = Cidr::parse("10.20.1.0/24").value();
  const Json proxy = file(named(rendered(node), "kube-proxy"), "/var/lib/kube-proxy/config.yaml");
  CHECK_FALSE(proxy.contains("clusterCIDR"));
  CHECK(proxy["detectLocalMode"] == "NodeCIDR");
}

TEST_CASE("render: CNI configuration") {
  const ComponentFiles cni = named(rendered(context("node")), "cni");
  const Json list = file(cni, "/etc/cni/net.d/10-slipway.conflist");
  CHECK(list["cniVersion"] == "0.4.0");
  CHECK(list["plugins"][0]["ipMasq"] == false);
  CHECK(list["plugins"][0]["mtu"] == 1500);
  CHECK(list["plugins"][0]["ipam"] == Json::parse(R"({"type":"host-local","dataDir":"/run/slipway/cni","ranges":[[{"subnet":"10.10.1.0/24"}]]})"));
  CHECK(list["plugins"][1]["type"] == "portmap");
  CHECK(cni.after_network);
  NodeContext node = context("node");
  node.second_pod_cidr = Cidr::parse("fd00:10:1::/64").value();
  CHECK(file(named(rendered(node), "cni"), "/etc/cni/net.d/10-slipway.conflist")["plugins"][0]["ipam"]["ranges"] ==
        Json::parse(R"([[{"subnet":"10.10.1.0/24"}],[{"subnet":"fd00:10:1::/64"}]])"));
  node.cluster.network.backend = "external";
  const ComponentFiles external = named(rendered(node), "cni");
  CHECK(external.files.empty());
  CHECK(external.removed == std::vector<std::string>{"/etc/cni/net.d/10-slipway.conflist"});
  CHECK(has(named(rendered(node), "kubelet"), "--cni-bin-dir=/opt/cni/bin,/opt/slipway/cni-plugins/current"));
}

TEST_CASE("render: control plane") {
  const auto components = rendered(context("master"));
  const ComponentFiles api = named(components, "kube-apiserver");
  for (const char* argument : {"--secure-port=6443", "--insecure-port=0", "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
                               "--client-ca-file=/etc/kubernetes/pki/kubeClient-ca.crt", "--advertise-address=10.77.0.11",
                               "--kubelet-certificate-authority=/etc/kubernetes/pki/kubeletServing-ca.crt",
                               "--service-account-issuer=https://kubernetes.default.svc.cluster.local"}) {
    INFO(argument);
    CHECK(has(api, argument));
  }
  const Json policy = file(api, "/etc/kubernetes/audit-policy.yaml");
  CHECK(policy["rules"].back() == Json{{"level", "Metadata"}});
  CHECK(policy["omitStages"] == Json::array({"RequestReceived"}));
  CHECK(policy["rules"][1]["userGroups"] == Json::array({"system:nodes", "system:node-proxier"}));
  CHECK(has(named(components, "kube-controller-manager"), "--allocate-node-cidrs=false"));
  CHECK(has(named(components, "kube-controller-manager"), "--port=0"));
  CHECK(has(named(components, "etcd"), "--client-cert-auth=true"));
  CHECK(file(named(components, "kube-scheduler"), "/etc/kubernetes/scheduler.kubeconfig")["users"][0]["name"] == "scheduler");
}

TEST_CASE("units stop in the order that a shutdown needs, and none takes long", "[render]") {
  for (const char* role : {"node", "master"}) {
    const auto components = rendered(context(role));
    const auto after = [&](const std::string& name, const std::string& other) {
      const std::vector<std::string> list = named(components, name).unit->after;
      return std::find(list.begin(), list.end(), other) != list.end();
    };
    // systemd stops in the reverse order of After=: who uses something goes first.
    CHECK(after("kubelet", "docker.service"));
    CHECK(after("docker", "containerd.service"));
    if (std::string(role) == "master") {
      CHECK(after("kube-apiserver", "etcd.service"));
      CHECK(after("kube-scheduler", "kube-apiserver.service"));
      CHECK(after("kube-controller-manager", "kube-apiserver.service"));
    }
    for (const ComponentFiles& component : components) {
      if (!component.unit) continue;
      CAPTURE(component.name);
      REQUIRE(component.unit->timeout_stop);
      CHECK(component.unit->timeout_stop->count() >= 10);
      CHECK(component.unit->timeout_stop->count() <= 30);
    }
  }
}

TEST_CASE("each unit comes back at once, is not the first to die, and has room", "[render]") {
  const std::map<std::string, int> scores = {{"containerd", -999}, {"docker", -500},          {"kubelet", -450},
                                             {"kube-proxy", -450}, {"etcd", -997},            {"kube-apiserver", -997},
                                             {"kube-scheduler", -997}, {"kube-controller-manager", -997}};
  std::size_t seen = 0;
  for (const ComponentFiles& component : rendered(context("master"))) {
    if (!component.unit) continue;
    CAPTURE(component.name);
    const UnitSpec& unit = *component.unit;
    CHECK(unit.restart == RestartPolicy{RestartWhen::always, std::chrono::milliseconds(0)});
    CHECK(unit.limit_nofile == 1048576);
    CHECK(unit.oom_score_adjust == scores.at(component.name));
    const bool holds_others = component.name == "containerd" || component.name == "docker" || component.name == "kubelet";
    CHECK((unit.kill_mode == KillMode::process) == holds_others);
    CHECK((unit.tasks_max == k_limit_infinity) == holds_others);
    CHECK(unit.delegate == (component.name == "containerd" || component.name == "docker"));
    const auto text = render(unit);
    REQUIRE(text);
    CHECK(text->find("StartLimitIntervalSec=0\n") != std::string::npos);
    // Our own supervisor reads the same files.
    const auto read = parse_unit(unit.name, *text);
    if (!read) FAIL(read.error().message);
    CHECK(*read == unit);
    ++seen;
  }
  CHECK(seen == scores.size());
}
