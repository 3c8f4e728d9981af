// Docker Engine with its containerd, and the CNI configuration.
#include <nlohmann/json.hpp>

#include "agent/render/parts.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

namespace {

Json daemon_defaults(const Settings& settings) {
  return {{"bridge", "none"},       // pods get their network from CNI
          {"iptables", false},      // and the packet filter is kube-proxy's and the agent's: no FORWARD DROP by Docker
          {"ip-masq", false},
          {"ip-forward", false},
          {"live-restore", true},
          {"exec-opts", {"native.cgroupdriver=" + settings.cgroup_driver}},
          {"log-driver", "json-file"},
          {"log-opts", {{"max-size", "10m"}, {"max-file", "3"}}}};
}

Status check_docker_overrides(const Json& over) {
  if (over.contains("hosts")) {
    return invalid("docker.config.hosts cannot be set: the engine listens on its local socket only; whoever reaches it is root on the node");
  }
  if (over.contains("containerd")) return invalid("docker.config.containerd cannot be set: containerd.service is Slipway's");
  return {};
}

Json merged_daemon_config(const Settings& settings) {
  Json config = daemon_defaults(settings);
  config.merge_patch(*settings.docker_overrides);
  // Lists replace; the driver must be said once whatever other options the override brings.
  Json& options = config["exec-opts"];
  const std::string driver = "native.cgroupdriver=" + settings.cgroup_driver;
  if (!options.is_array()) options = Json::array();
  if (std::find(options.begin(), options.end(), Json(driver)) == options.end()) options.push_back(driver);
  return config;
}

}  // namespace

UnitSpec runtime_unit(const Settings& settings, const std::string& name, const std::string& title, const std::string& version,
                      const std::string& artifact) {
  UnitSpec unit = make_unit(settings, name, title, version);
  unit.type = UnitType::notify;
  // Containers live on when the daemon stops or starts anew.
  unit.kill_mode = KillMode::process;
  unit.delegate = true;
  unit.tasks_max = k_limit_infinity;
  unit.limit_nproc = k_limit_infinity;
  unit.timeout_start = std::chrono::seconds(120);
  // containerd starts the shim and the shim runc by name; `current` and not a version, because shims outlive upgrades.
  const std::string& root = settings.node.paths.install_root;
  unit.environment = {{"PATH", root + "/" + artifact + "/current:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  return unit;
}

Result<ComponentFiles> docker_containerd(const Settings& settings) {
  ComponentFiles component;
  component.name = "containerd";
  component.artifact = "docker";
  component.version = settings.node.cluster.versions.docker;
  const std::string config = settings.node.paths.containerd_dir + "/config.toml";
  component.dirs = {{settings.node.paths.containerd_dir, 0755}};
  component.files = {{config, 0644,
                      "# Written by slipway-agent; changes are undone.\n"
                      "version = 2\n"
                      "root = \"/var/lib/containerd\"\n"
                      "state = \"/run/containerd\"\n"
                      "# The kubelet talks to Docker; nobody needs the CRI here.\n"
                      "disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
                      "\n"
                      "[grpc]\n"
                      "  address = \"" +
                          std::string(k_containerd_socket) + "\"\n"}};
  UnitSpec unit = runtime_unit(settings, "containerd", "containerd of Docker Engine", component.version, "docker");
  unit.exec = {settings.program("docker", "containerd"), "--config", config};
  // systemd passes over a refusal of this in hosts without CAP_SYS_RESOURCE.
  unit.oom_score_adjust = -999;
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::unix_socket, k_containerd_socket, 0, "", "", ""};
  return component;
}

Result<ComponentFiles> docker(const Settings& settings) {
  if (Status checked = check_docker_overrides(*settings.docker_overrides); !checked) return checked.error();
  ComponentFiles component;
  component.name = "docker";
  component.artifact = "docker";
  component.version = settings.node.cluster.versions.docker;
  const std::string config = settings.node.paths.docker_dir + "/daemon.json";
  component.dirs = {{settings.node.paths.docker_dir, 0755}};
  component.files = {{config, 0644, merged_daemon_config(settings).dump(2) + "\n"}};
  UnitSpec unit = runtime_unit(settings, "docker", "Docker Engine", component.version, "docker");
  unit.after.push_back("containerd.service");
  unit.wants.push_back("containerd.service");
  unit.exec = {settings.program("docker", "dockerd"), flag("config-file", config), flag("containerd", k_containerd_socket),
               flag("host", "unix://" + std::string(k_docker_socket))};
  unit.oom_score_adjust = -500;
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::unix_socket, k_docker_socket, 0, "/_ping", "", ""};
  return component;
}

std::vector<std::string> cni_bin_dirs(const Settings& settings) {
  const std::string ours = settings.node.paths.install_root + "/cni-plugins/current";
  if (settings.node.cluster.network.backend != "external") return {ours};
  return {settings.node.paths.cni_bin_dir, ours};
}

Result<ComponentFiles> cni(const Settings& settings) {
  const NodeContext& node = settings.node;
  ComponentFiles component;
  component.name = "cni";
  component.artifact = "cni-plugins";
  component.version = node.cluster.versions.cni_plugins;
  component.after_network = true;
  const std::string path = node.paths.cni_conf_dir + "/10-slipway.conflist";
  if (node.cluster.network.backend == "external") {
    // The plugin's own installer writes the configuration; ours would come before it.
    component.removed = {path};
    return component;
  }
  // Each pod has an address of each range; isDefaultGateway leads a default route of each family to the bridge.
  Json ranges = Json::array({Json::array({{{"subnet", node.pod_cidr.to_string()}}})});
  if (node.second_pod_cidr) ranges.push_back(Json::array({{{"subnet", node.second_pod_cidr->to_string()}}}));
  // 0.4.0 is the newest that kubelet 1.20 speaks. ipMasq would know only this node's block and hide pods from each other.
  const Json bridge = {{"type", "bridge"},
                       {"bridge", "cni0"},
                       {"isDefaultGateway", true},
                       {"hairpinMode", true},
                       {"ipMasq", false},
                       {"mtu", node.pod_mtu},
                       {"ipam", {{"type", "host-local"}, {"dataDir", node.paths.cni_state_dir}, {"ranges", ranges}}}};
  const Json portmap = {{"type", "portmap"}, {"snat", true}, {"capabilities", {{"portMappings", true}}}};
  const Json list = {{"cniVersion", "0.4.0"}, {"name", "slipway"}, {"plugins", {bridge, portmap}}};
  // The state is on tmpfs: after a reboot no address is held by a container that is gone.
  component.dirs = {{node.paths.cni_conf_dir, 0755}, {node.paths.cni_state_dir, 0755}};
  component.files = {{path, 0644, list.dump(2) + "\n"}};
  return component;
}

}  // namespace slipway::render_parts
