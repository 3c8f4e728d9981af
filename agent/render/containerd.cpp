// containerd as the kubelet's runtime, runc, and cri-dockerd between docker and newer kubelets.
#include <nlohmann/json.hpp>

#include "agent/render/parts.hpp"
#include "agent/render/toml.hpp"
#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

namespace {

constexpr char k_plugin_1[] = "io.containerd.grpc.v1.cri";      // containerd 1.x: all of CRI
constexpr char k_images_2[] = "io.containerd.cri.v1.images";    // 2.x: images
constexpr char k_runtime_2[] = "io.containerd.cri.v1.runtime";  // 2.x: containers and CNI
constexpr char k_runc_type[] = "io.containerd.runc.v2";

// What of the configuration moved with containerd's versions (containerd docs/cri/config.md, RELEASES.md).
struct Layout {
  int version = 2;  // of the file: 3 since 2.0
  const char* runtime = k_plugin_1;
  bool bin_dirs = false;  // a list since 2.1 (#11311); bin_dir goes with 2.4 (#13009)
};

Layout layout_of(const Settings& settings) {
  const auto version =
      kube::parse_version(settings.node.cluster.versions.containerd).value_or(kube::Version{});
  if (version < kube::Version{2, 0, 0}) return {};
  return {3, k_runtime_2, version >= kube::Version{2, 1, 0}};
}

Json cni_settings(const Settings& settings, const Layout& layout) {
  const std::vector<std::string> programs = cni_bin_dirs(settings);
  Json cni = {{"conf_dir", settings.node.paths.cni_conf_dir}};
  if (layout.bin_dirs) {
    cni["bin_dirs"] = programs;
  } else {
    cni["bin_dir"] = programs.front();  // it knows one only: see copies_for
  }
  return cni;
}

// With backend external the one folder is the one where others' plugins lie, and these call ours.
std::optional<ProgramCopies> copies_for(const Settings& settings, const Layout& layout) {
  if (layout.bin_dirs || cni_bin_dirs(settings).size() < 2) return std::nullopt;
  return ProgramCopies{"cni-plugins", settings.node.paths.cni_bin_dir};
}

Json containerd_defaults(const Settings& settings, const Layout& layout) {
  const Json runc = {{"runtime_type", k_runc_type},
                     {"options", {{"BinaryName", settings.program("runc", "runc")}}}};
  Json config = {{"version", layout.version},
                 {"root", "/var/lib/containerd"},
                 {"state", "/run/containerd"},
                 {"grpc", {{"address", k_containerd_socket}}}};
  config["plugins"][layout.runtime] = {
      {"containerd", {{"default_runtime_name", "runc"}, {"runtimes", {{"runc", runc}}}}},
      {"cni", cni_settings(settings, layout)}};
  const std::string& sandbox = settings.node.cluster.kubelet.pod_infra_container_image;
  if (sandbox.empty()) return config;
  if (layout.version == 2) {
    config["plugins"][k_plugin_1]["sandbox_image"] = sandbox;
  } else {
    config["plugins"][k_images_2]["pinned_images"] = {{"sandbox", sandbox}};
  }
  return config;
}

const Json* member(const Json* value, const char* key) {
  if (value == nullptr || !value->is_object()) return nullptr;
  const auto found = value->find(key);
  return found == value->end() ? nullptr : &*found;
}

// A plugin's name of the other containerd would be passed over without a word.
Status check_plugin_names(const Json& over, const Layout& layout) {
  const Json* plugins = member(&over, "plugins");
  if (layout.version == 2) {
    for (const char* name : {k_images_2, k_runtime_2}) {
      if (member(plugins, name) != nullptr) {
        return invalid("containerd.config.plugins." + std::string(name) +
                       " is for containerd 2; containerd 1 has all of it in " + k_plugin_1);
      }
    }
    return {};
  }
  for (const char* key : {"containerd", "cni", "registry", "sandbox_image"}) {
    if (member(member(plugins, k_plugin_1), key) == nullptr) continue;
    return invalid("containerd.config.plugins." + std::string(k_plugin_1) + "." + key +
                   " moved with containerd 2, to " + k_images_2 + " and " + k_runtime_2);
  }
  return {};
}

Status check_containerd_overrides(const Json& over, const Layout& layout) {
  for (const char* key : {"version", "state", "disabled_plugins"}) {
    if (over.contains(key))
      return invalid("containerd.config." + std::string(key) + " cannot be set: Slipway decides it");
  }
  const Json* grpc = member(&over, "grpc");
  for (const char* key : {"address", "tcp_address"}) {
    if (member(grpc, key) != nullptr) {
      return invalid("containerd.config.grpc." + std::string(key) +
                     " cannot be set: containerd listens on its local socket only; whoever reaches it is "
                     "root on the node");
    }
  }
  return check_plugin_names(over, layout);
}

// All runtimes of runc's kind get the kubelet's cgroup driver; one that says another would put pods where the
// kubelet does not look.
Status set_cgroup_driver(Json& plugin, const Settings& settings) {
  const bool systemd = settings.cgroup_driver == "systemd";
  const Json* runtimes = member(member(&plugin, "containerd"), "runtimes");
  if (runtimes == nullptr || !runtimes->is_object()) return invalid("containerd.config leaves no runtimes");
  for (const auto& [name, runtime] : runtimes->items()) {
    const Json* type = member(&runtime, "runtime_type");
    if (type == nullptr || *type != k_runc_type) continue;
    const Json* set = member(member(&runtime, "options"), "SystemdCgroup");
    if (set != nullptr && *set != systemd) {
      return invalid("containerd.config: runtime " + name + " says SystemdCgroup " + set->dump() +
                     " but the kubelet's cgroup driver is " + settings.cgroup_driver +
                     "; leave it out or set kubelet.config.cgroupDriver");
    }
  }
  for (auto& [name, runtime] : plugin["containerd"]["runtimes"].items()) {
    if (runtime.is_object() && runtime.value("runtime_type", Json()) == k_runc_type)
      runtime["options"]["SystemdCgroup"] = systemd;
  }
  return {};
}

Result<std::string> containerd_config(const Settings& settings) {
  const Layout layout = layout_of(settings);
  if (Status checked = check_containerd_overrides(*settings.containerd_overrides, layout); !checked)
    return checked.error();
  Json config = containerd_defaults(settings, layout);
  config.merge_patch(*settings.containerd_overrides);
  if (!config["plugins"].is_object() || !config["plugins"][layout.runtime].is_object()) {
    return invalid("containerd.config.plugins takes away " + std::string(layout.runtime) +
                   ", which the kubelet needs");
  }
  if (Status set = set_cgroup_driver(config["plugins"][layout.runtime], settings); !set) return set.error();
  Result<std::string> toml = json_to_toml(config);
  if (!toml) return invalid("containerd.config: " + toml.error().message);
  return "# Written by slipway-agent; changes are undone. Settings: containerd.config in the cluster's "
         "configuration.\n" +
         *toml;
}

// For people: crictl asks there without being told.
RenderedFile crictl_config(const Settings& settings, const std::string& socket) {
  return {settings.node.paths.crictl_config, 0644,
          "# Written by slipway-agent; changes are undone.\nruntime-endpoint: unix://" + socket +
              "\nimage-endpoint: unix://" + socket + "\n"};
}

}  // namespace

Result<ComponentFiles> cri_containerd(const Settings& settings) {
  Result<std::string> text = containerd_config(settings);
  if (!text) return text.error();
  ComponentFiles component;
  component.name = "containerd";
  component.artifact = "containerd";
  component.version = settings.node.cluster.versions.containerd;
  const std::string config = settings.node.paths.containerd_dir + "/config.toml";
  component.dirs = {{settings.node.paths.containerd_dir, 0755}};
  component.files = {{config, 0644, *text}, crictl_config(settings, k_containerd_socket)};
  component.copies = copies_for(settings, layout_of(settings));
  UnitSpec unit = runtime_unit(settings, "containerd", "containerd", component.version, "containerd");
  unit.exec = {settings.program("containerd", "containerd"), "--config", config};
  unit.oom_score_adjust = -999;
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::unix_socket, k_containerd_socket, 0, "", "", ""};
  return component;
}

Result<ComponentFiles> runc(const Settings& settings) {
  ComponentFiles component;
  component.name = "runc";
  component.artifact = "runc";
  component.version = settings.node.cluster.versions.runc;
  return component;
}

Result<ComponentFiles> cri_dockerd(const Settings& settings) {
  const NodeContext& node = settings.node;
  ComponentFiles component;
  component.name = "cri-dockerd";
  component.artifact = "cri-dockerd";
  component.version = node.cluster.versions.cri_dockerd;
  component.files = {crictl_config(settings, k_cri_dockerd_socket)};
  // Its own packages call the unit so.
  UnitSpec unit =
      runtime_unit(settings, "cri-docker", "cri-dockerd, CRI of Docker Engine", component.version, "docker");
  unit.after.push_back("docker.service");
  unit.wants.push_back("docker.service");
  unit.exec = {settings.program("cri-dockerd", "cri-dockerd"),
               flag("container-runtime-endpoint", "unix://" + std::string(k_cri_dockerd_socket)),
               flag("docker-endpoint", "unix://" + std::string(k_docker_socket)),
               flag("network-plugin", "cni"),
               flag("cni-bin-dir", join(cni_bin_dirs(settings), ",")),
               flag("cni-conf-dir", node.paths.cni_conf_dir)};
  const std::string& sandbox = node.cluster.kubelet.pod_infra_container_image;
  if (!sandbox.empty()) unit.exec.push_back(flag("pod-infra-container-image", sandbox));
  unit.oom_score_adjust = -500;
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::unix_socket, k_cri_dockerd_socket, 0, "", "", ""};
  return component;
}

}  // namespace slipway::render_parts
