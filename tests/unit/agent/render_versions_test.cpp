// What is rendered for each minor of Kubernetes and each runtime, held against the tables in common/kube.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/render/component.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/kube/config_keys.hpp"
#include "common/kube/version_table.hpp"

using namespace slipway;
using Json = nlohmann::json;

namespace {

NodeContext context(const std::string& runtime, const std::string& kubernetes,
                    const std::string& containerd = "1.7.27") {
  NodeContext node;
  node.node_name = "n1";
  node.node_address = IpAddress::parse("10.77.0.11").value();
  node.role = "master";
  node.pod_cidr = Cidr::parse("10.10.1.0/24").value();
  node.cluster.metadata.name = "demo";
  node.cluster.api_server.endpoint = "https://10.77.0.10:6443";
  node.cluster.network.pod_cidr = "10.10.0.0/16";
  node.cluster.network.service_cidr = "10.0.0.0/16";
  node.cluster.runtime = runtime;
  node.cluster.versions = {kubernetes, "3.4.23", "20.10.24", "1.1.1", containerd, "1.1.5", "0.3.17"};
  node.cluster.kubelet.pod_infra_container_image = "slipway/pause:1";
  return node;
}

std::string minor_version(int minor) {
  return "1." + std::to_string(minor) + ".1";
}

std::vector<ComponentFiles> rendered(const NodeContext& node) {
  auto components = render_components(node);
  INFO((components ? "" : components.error().message));
  REQUIRE(components);
  return *components;
}

const ComponentFiles& named(const std::vector<ComponentFiles>& components, std::string_view name) {
  const auto found = std::find_if(components.begin(), components.end(),
                                  [&](const ComponentFiles& c) { return c.name == name; });
  if (found == components.end()) FAIL("no component " << name);
  return *found;
}

const RenderedFile& file_of(const ComponentFiles& component, const std::string& path) {
  const auto found = std::find_if(component.files.begin(), component.files.end(),
                                  [&](const RenderedFile& f) { return f.path == path; });
  if (found == component.files.end()) FAIL("no file " << path);
  return *found;
}

Json yaml(const ComponentFiles& component, const std::string& path) {
  return Json::parse(yaml_to_json(file_of(component, path).content, path).value());
}

// "--name=value" by name.
std::map<std::string, std::string> flags_of(const ComponentFiles& component) {
  std::map<std::string, std::string> flags;
  for (std::size_t i = 1; i < component.unit->exec.size(); ++i) {
    const std::string& argument = component.unit->exec[i];
    const std::size_t equals = argument.find('=');
    REQUIRE(argument.starts_with("--"));
    flags[argument.substr(2, equals - 2)] = equals == std::string::npos ? "" : argument.substr(equals + 1);
  }
  return flags;
}

std::string refusal(const NodeContext& node) {
  const auto components = render_components(node);
  return components ? "accepted" : components.error().message;
}

const std::set<std::string> k_programs = {
    "kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"};
constexpr int k_etcd_minor = 4;  // of 3.4.23

}  // namespace

TEST_CASE("render versions: no flag and no field outside its minors") {
  for (const std::string runtime : {"docker", "containerd"}) {
    for (int minor = kube::k_oldest_minor; minor <= kube::k_newest_minor; ++minor) {
      const auto components = rendered(context(runtime, minor_version(minor)));
      INFO(runtime << " 1." << minor);
      for (const ComponentFiles& component : components) {
        if (!k_programs.contains(component.name)) continue;
        for (const auto& [name, value] : flags_of(component)) {
          INFO(component.name << " --" << name);
          const kube::Flag* known = kube::find_flag(component.name, name);
          REQUIRE(known != nullptr);
          CHECK(known->span.contains(component.name == "etcd" ? k_etcd_minor : minor));
        }
      }
      const ComponentFiles& kubelet = named(components, "kubelet");
      const ComponentFiles& proxy = named(components, "kube-proxy");
      CHECK(kube::check_kubelet_config(yaml(kubelet, "/var/lib/kubelet/config.yaml").dump(), minor).empty());
      CHECK(kube::check_kube_proxy_config(yaml(proxy, "/var/lib/kube-proxy/config.yaml").dump(), minor)
                .empty());
      CHECK(yaml(kubelet, "/var/lib/kubelet/config.yaml")["apiVersion"] == "kubelet.config.k8s.io/v1beta1");
      CHECK(yaml(proxy, "/var/lib/kube-proxy/config.yaml")["apiVersion"] ==
            "kubeproxy.config.k8s.io/v1alpha1");
      CHECK(yaml(named(components, "kube-apiserver"), "/etc/kubernetes/audit-policy.yaml")["apiVersion"] ==
            "audit.k8s.io/v1");
    }
  }
}

TEST_CASE("render versions: every flag of the table is rendered where it exists") {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const std::string runtime : {"docker", "containerd"}) {
    for (const int minor : {20, 24, 30, 37}) {
      for (const ComponentFiles& component : rendered(context(runtime, minor_version(minor)))) {
        if (!k_programs.contains(component.name)) continue;
        for (const auto& [name, value] : flags_of(component)) {
          const kube::Flag* known = kube::find_flag(component.name, name);
          if (known != nullptr) seen.insert({known->program, known->name});
        }
      }
    }
  }
  for (const kube::Flag& flag : kube::k_flags) {
    INFO(flag.program << " --" << flag.name);
    CHECK(seen.contains({flag.program, flag.name}));
  }
}

TEST_CASE("render versions: how the kubelet is told of its runtime") {
  struct Row {
    const char* runtime;
    int minor;
    const char* kind;   // --container-runtime
    const char* flag;   // --container-runtime-endpoint
    const char* field;  // containerRuntimeEndpoint
    bool cni_flags;
    bool pause_flag;
    const char* unit;
  };
  const char* containerd = "unix:///run/containerd/containerd.sock";
  const char* cri_dockerd = "unix:///run/cri-dockerd.sock";
  const Row rows[] = {
      {"docker", 18, "docker", "", "", true, true, "docker.service"},
      {"docker", 20, "docker", "", "", true, true, "docker.service"},
      {"docker", 23, "docker", "", "", true, true, "docker.service"},
      {"docker", 24, "remote", cri_dockerd, "", false, true, "cri-docker.service"},
      {"docker", 26, "remote", cri_dockerd, "", false, true, "cri-docker.service"},
      {"docker", 27, "", "", cri_dockerd, false, true, "cri-docker.service"},
      {"docker", 35, "", "", cri_dockerd, false, false, "cri-docker.service"},
      {"containerd", 18, "remote", containerd, "", false, true, "containerd.service"},
      {"containerd", 20, "remote", containerd, "", false, true, "containerd.service"},
      {"containerd", 26, "remote", containerd, "", false, true, "containerd.service"},
      {"containerd", 27, "", "", containerd, false, true, "containerd.service"},
      {"containerd", 34, "", "", containerd, false, true, "containerd.service"},
      {"containerd", 37, "", "", containerd, false, false, "containerd.service"},
  };
  for (const Row& row : rows) {
    INFO(row.runtime << " 1." << row.minor);
    const auto components = rendered(context(row.runtime, minor_version(row.minor)));
    const ComponentFiles& kubelet = named(components, "kubelet");
    auto flags = flags_of(kubelet);
    CHECK(flags["container-runtime"] == row.kind);
    CHECK(flags["container-runtime-endpoint"] == row.flag);
    CHECK(flags.contains("network-plugin") == row.cni_flags);
    CHECK(flags.contains("cni-bin-dir") == row.cni_flags);
    CHECK(flags.contains("docker-endpoint") == row.cni_flags);
    CHECK(flags.contains("pod-infra-container-image") == row.pause_flag);
    CHECK(yaml(kubelet, "/var/lib/kubelet/config.yaml").value("containerRuntimeEndpoint", "") == row.field);
    const auto& after = kubelet.unit->after;
    CHECK(std::find(after.begin(), after.end(), row.unit) != after.end());
    CHECK(std::find(kubelet.unit->wants.begin(), kubelet.unit->wants.end(), row.unit) !=
          kubelet.unit->wants.end());
  }
}

TEST_CASE("render versions: plain HTTP is off where it can be on, service account flags are always there") {
  for (const int minor : {18, 20, 23, 24, 37}) {
    INFO("1." << minor);
    const auto components = rendered(context("containerd", minor_version(minor)));
    auto api = flags_of(named(components, "kube-apiserver"));
    CHECK(api.contains("insecure-port") == (minor < 24));
    CHECK(api.contains("service-account-issuer"));
    CHECK(api.contains("service-account-signing-key-file"));
    CHECK(flags_of(named(components, "kube-controller-manager")).contains("port") == (minor < 24));
    CHECK(flags_of(named(components, "kube-scheduler")).contains("port") == (minor < 24));
  }
}

TEST_CASE("render versions: what each runtime is made of, in the order of its start") {
  const auto names = [](const NodeContext& node) {
    std::vector<std::string> list;
    for (const ComponentFiles& component : rendered(node))
      list.push_back(component.name + "/" + component.artifact + "/" + component.version);
    list.resize(3);
    return list;
  };
  CHECK(names(context("docker", "1.20.2")) ==
        std::vector<std::string>{"containerd/docker/20.10.24", "docker/docker/20.10.24", "etcd/etcd/3.4.23"});
  CHECK(names(context("docker", "1.30.0")) == std::vector<std::string>{"containerd/docker/20.10.24",
                                                                       "docker/docker/20.10.24",
                                                                       "cri-dockerd/cri-dockerd/0.3.17"});
  CHECK(names(context("containerd", "1.20.2")) ==
        std::vector<std::string>{"runc/runc/1.1.5", "containerd/containerd/1.7.27", "etcd/etcd/3.4.23"});
}

TEST_CASE("render versions: cri-dockerd stands between docker and kubelet") {
  const auto components = rendered(context("docker", "1.30.0"));
  const ComponentFiles& cri = named(components, "cri-dockerd");
  CHECK(cri.unit->name == "cri-docker.service");
  CHECK(cri.unit->exec ==
        std::vector<std::string>{"/opt/slipway/cri-dockerd/current/cri-dockerd",
                                 "--container-runtime-endpoint=unix:///run/cri-dockerd.sock",
                                 "--docker-endpoint=unix:///run/docker.sock", "--network-plugin=cni",
                                 "--cni-bin-dir=/opt/slipway/cni-plugins/current",
                                 "--cni-conf-dir=/etc/cni/net.d",
                                 "--pod-infra-container-image=slipway/pause:1"});
  CHECK(std::find(cri.unit->after.begin(), cri.unit->after.end(), "docker.service") != cri.unit->after.end());
  CHECK(cri.probe->host == "/run/cri-dockerd.sock");
  CHECK(yaml(cri, "/etc/crictl.yaml")["runtime-endpoint"] == "unix:///run/cri-dockerd.sock");
  NodeContext without = context("docker", "1.24.0");
  without.cluster.versions.cri_dockerd.clear();
  CHECK_THAT(refusal(without), Catch::Contains("docker with kubelet 1.24 or newer requires cri-dockerd"));
}

TEST_CASE("render versions: containerd 1 as the kubelet's runtime") {
  NodeContext node = context("containerd", "1.20.2");
  node.cgroup_driver = "cgroupfs";
  const ComponentFiles containerd = named(rendered(node), "containerd");
  CHECK(
      file_of(containerd, "/etc/containerd/config.toml").content ==
      R"(# Written by slipway-agent; changes are undone. Settings: containerd.config in the cluster's configuration.
root = "/var/lib/containerd"
state = "/run/containerd"
version = 2

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "slipway/pause:1"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/opt/slipway/cni-plugins/current"
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "/opt/slipway/runc/current/runc"
SystemdCgroup = false
)");
  CHECK(yaml(containerd, "/etc/crictl.yaml")["runtime-endpoint"] == "unix:///run/containerd/containerd.sock");
  CHECK(containerd.unit->exec == std::vector<std::string>{"/opt/slipway/containerd/current/containerd",
                                                          "--config", "/etc/containerd/config.toml"});
  CHECK(containerd.unit->environment.front().second.starts_with("/opt/slipway/containerd/current:"));
  CHECK(containerd.unit->kill_mode == KillMode::process);
  CHECK(containerd.unit->delegate);
  CHECK(containerd.probe->host == "/run/containerd/containerd.sock");
}

TEST_CASE("render versions: containerd 2 has moved its settings") {
  const auto config = [](const std::string& version) {
    return file_of(named(rendered(context("containerd", "1.31.0", version)), "containerd"),
                   "/etc/containerd/config.toml")
        .content;
  };
  const std::string two = config("2.0.4");
  for (const char* part :
       {"version = 3\n",
        "[plugins.\"io.containerd.cri.v1.images\".pinned_images]\nsandbox = \"slipway/pause:1\"\n",
        "[plugins.\"io.containerd.cri.v1.runtime\".cni]\nbin_dir = \"/opt/slipway/cni-plugins/current\"\n",
        "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runc.options]\n",
        "SystemdCgroup = true\n"}) {
    INFO(part);
    CHECK(two.find(part) != std::string::npos);
  }
  CHECK(two.find("grpc.v1.cri") == std::string::npos);
  CHECK(config("2.1.0").find("bin_dirs = [\"/opt/slipway/cni-plugins/current\"]\n") != std::string::npos);
  CHECK(config("2.1.0").find("bin_dir =") == std::string::npos);
  CHECK(config("1.7.27").find("version = 2\n") != std::string::npos);
}

TEST_CASE("render versions: with another network plugin its programs are found, and ours where the runtime knows two folders") {
  const auto config = [](const std::string& version) {
    NodeContext node = context("containerd", "1.31.0", version);
    node.cluster.network.backend = "external";
    return file_of(named(rendered(node), "containerd"), "/etc/containerd/config.toml").content;
  };
  CHECK(config("2.1.0").find("bin_dirs = [\"/opt/cni/bin\", \"/opt/slipway/cni-plugins/current\"]\n") != std::string::npos);
  CHECK(config("2.0.4").find("bin_dir = \"/opt/cni/bin\"\n") != std::string::npos);
  CHECK(config("1.6.20").find("bin_dir = \"/opt/cni/bin\"\n") != std::string::npos);
}

TEST_CASE(
    "render versions: a runtime that looks for another plugin's programs in one folder gets copies of ours "
    "there, no other does") {
  const auto copies = [](const std::string& runtime, const std::string& kubernetes,
                         const std::string& containerd, const std::string& backend) {
    NodeContext node = context(runtime, kubernetes, containerd);
    node.cluster.network.backend = backend;
    std::optional<ProgramCopies> found;
    for (const ComponentFiles& component : rendered(node)) {
      if (component.copies) found = component.copies;
    }
    return found;
  };
  const ProgramCopies wanted{"cni-plugins", "/opt/cni/bin"};
  CHECK(copies("containerd", "1.20.2", "1.6.20", "external") == wanted);
  CHECK(copies("containerd", "1.31.0", "2.0.4", "external") == wanted);
  CHECK_FALSE(copies("containerd", "1.31.0", "2.1.0", "external"));
  CHECK_FALSE(copies("containerd", "1.20.2", "1.6.20", "host-gw"));
  CHECK_FALSE(copies("containerd", "1.20.2", "1.6.20", "vxlan"));
  CHECK_FALSE(copies("docker", "1.20.2", "1.6.20", "external"));
}

TEST_CASE("render versions: containerd's overrides merge, what Slipway decides does not") {
  NodeContext node = context("containerd", "1.20.2");
  node.cluster.containerd.config.text =
      R"({"debug":{"level":"debug"},"plugins":{"io.containerd.grpc.v1.cri":{"containerd":{"runtimes":{"runc":{"options":{"BinaryName":"/x/runc"}},
          "crun":{"runtime_type":"io.containerd.runc.v2"},"kata":{"runtime_type":"io.containerd.kata.v2"}}}}}})";
  const std::string text =
      file_of(named(rendered(node), "containerd"), "/etc/containerd/config.toml").content;
  const std::string runtimes = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.";
  for (const std::string& part :
       {std::string("[debug]\nlevel = \"debug\"\n"),
        runtimes + "runc.options]\nBinaryName = \"/x/runc\"\nSystemdCgroup = true\n",
        runtimes + "crun.options]\nSystemdCgroup = true\n",
        runtimes + "kata]\nruntime_type = \"io.containerd.kata.v2\"\n"}) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(text.find(runtimes + "kata.options]") == std::string::npos);

  const auto refused = [](const char* config, const char* why, const char* version = "1.7.27") {
    NodeContext other = context("containerd", "1.30.0", version);
    other.cluster.containerd.config.text = config;
    INFO(config);
    CHECK_THAT(refusal(other), Catch::Contains(why));
  };
  refused(R"({"version":1})", "containerd.config.version cannot be set");
  refused(R"({"disabled_plugins":["io.containerd.grpc.v1.cri"]})",
          "containerd.config.disabled_plugins cannot be set");
  refused(R"({"grpc":{"address":"/x"}})", "containerd.config.grpc.address cannot be set");
  refused(R"({"grpc":{"tcp_address":"0.0.0.0:1"}})", "containerd.config.grpc.tcp_address cannot be set");
  refused("[]", "containerd.config must be a map");
  refused(R"({"plugins":null})", "takes away io.containerd.grpc.v1.cri");
  refused(R"({"plugins":{"io.containerd.grpc.v1.cri":{"containerd":{"runtimes":null}}}})",
          "leaves no runtimes");
  refused(
      R"({"plugins":{"io.containerd.grpc.v1.cri":{"containerd":{"runtimes":{"runc":{"options":{"SystemdCgroup":false}}}}}}})",
      "says SystemdCgroup false but the kubelet's cgroup driver is systemd");
  refused(R"({"plugins":{"io.containerd.cri.v1.runtime":{}}})", "is for containerd 2");
  refused(R"({"plugins":{"io.containerd.grpc.v1.cri":{"sandbox_image":"x"}}})", "moved with containerd 2",
          "2.1.0");
  refused(R"({"x":[null]})", "no null");
}

TEST_CASE(
    "render versions: keys that a kubelet or kube-proxy of that minor does not know are refused before "
    "anything restarts") {
  NodeContext node = context("docker", "1.20.2");
  node.cluster.kubelet.config.text = R"({"memorySwap":{}})";
  CHECK_THAT(refusal(node), Catch::Contains("kubelet.config.memorySwap came as a field of "
                                            "KubeletConfiguration with Kubernetes 1.22, this is 1.20"));
  node = context("docker", "1.20.2");
  node.cluster.kube_proxy.config.text = R"({"mode":"nftables"})";
  CHECK_THAT(
      refusal(node),
      Catch::Contains("kubeProxy.config.mode nftables came as a mode of kube-proxy with Kubernetes 1.29"));
  node = context("containerd", "1.30.0");
  node.cluster.kubelet.config.text = R"({"containerRuntimeEndpoint":"unix:///x"})";
  CHECK_THAT(refusal(node), Catch::Contains("kubelet.config.containerRuntimeEndpoint cannot be set"));
  node = context("containerd", "1.38.0");
  CHECK_THAT(refusal(node), Catch::Contains("1.38.0 is newer than this Slipway knows (1.18 to 1.37)"));
}
