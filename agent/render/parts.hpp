#pragma once
// What the renderers of this folder share. Private to it.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/render/component.hpp"
#include "common/kube/version_table.hpp"

namespace slipway::render_parts {

// The context, parsed and found to be possible.
struct Settings {
  NodeContext node;
  int kube_minor = 0;            // 20 of 1.20.2
  std::string api_url;
  std::uint16_t api_port = 0;
  Cidr pod_network;
  Cidr service_network;
  IpAddress dns_address;
  std::string dns_domain;
  std::string cgroup_driver;     // after overrides: docker's and kubelet's are the same
  nlohmann::json* kubelet_overrides = nullptr;  // borrowed from SettingsData
  nlohmann::json* kube_proxy_overrides = nullptr;
  nlohmann::json* docker_overrides = nullptr;
  nlohmann::json* containerd_overrides = nullptr;

  std::string program(const std::string& component, const std::string& name) const {
    return node.paths.install_root + "/" + component + "/current/" + name;
  }
  std::string kubernetes_pki() const { return node.paths.kubernetes_dir + "/pki"; }
};

inline constexpr char k_containerd_socket[] = "/run/containerd/containerd.sock";
inline constexpr char k_docker_socket[] = "/run/docker.sock";
inline constexpr char k_cri_dockerd_socket[] = "/run/cri-dockerd.sock";

// How the kubelet reaches the runtime.
struct RuntimeLink {
  std::string unit;      // "containerd.service"
  std::string endpoint;  // "unix:///run/containerd/containerd.sock"; empty: dockershim, which knows docker by itself
};
RuntimeLink runtime_link(const Settings& settings);

// Where CNI programs are looked for, in this order: with backend external the plugin's own come before ours, which it may build upon.
std::vector<std::string> cni_bin_dirs(const Settings& settings);

Error invalid(std::string what);

// "--name=value"
std::string flag(std::string_view name, std::string_view value);
// The same, only when the program of this minor has it.
void add_flag(std::vector<std::string>& command, int kube_minor, const kube::KnownFlag& known, std::string_view value);

// Adds certificate, key and bundle inputs below `dir`; the paths are <dir>/<usage>.crt, <usage>.key, <ca>-ca.crt.
void add_pair(ComponentFiles& component, const std::string& dir, const std::string& usage, bool restart = false);
void add_ca(ComponentFiles& component, const std::string& dir, const std::string& ca, bool restart = false);
std::string chain_file(const std::string& dir, const std::string& usage);
std::string key_file(const std::string& dir, const std::string& usage);
std::string ca_file(const std::string& dir, const std::string& ca);

// A kubeconfig whose credentials are files: client-go reads them again when they change, so a renewal needs no restart.
Result<RenderedFile> kubeconfig(const Settings& settings, const std::string& path, const std::string& pki_dir, const std::string& usage);

// `value` as a YAML file for people.
Result<RenderedFile> yaml_file(const std::string& path, mode_t mode, const nlohmann::json& value);

// A unit with what all of ours have in common.
UnitSpec make_unit(const Settings& settings, const std::string& name, const std::string& title, const std::string& version);
// Of a daemon whose containers outlive it; it finds its programs in `artifact`'s folder.
UnitSpec runtime_unit(const Settings& settings, const std::string& name, const std::string& title, const std::string& version,
                      const std::string& artifact);

Result<ComponentFiles> docker_containerd(const Settings& settings);
Result<ComponentFiles> docker(const Settings& settings);
Result<ComponentFiles> cri_dockerd(const Settings& settings);
Result<ComponentFiles> runc(const Settings& settings);
Result<ComponentFiles> cri_containerd(const Settings& settings);
Result<ComponentFiles> cni(const Settings& settings);
Result<ComponentFiles> kubelet(const Settings& settings);
Result<ComponentFiles> kube_proxy(const Settings& settings);
Result<ComponentFiles> etcd(const Settings& settings);
Result<ComponentFiles> kube_apiserver(const Settings& settings);
Result<ComponentFiles> kube_controller_manager(const Settings& settings);
Result<ComponentFiles> kube_scheduler(const Settings& settings);

}  // namespace slipway::render_parts
