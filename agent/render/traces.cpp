#include "agent/render/traces.hpp"

#include "agent/domain/host_dropins.hpp"
#include "agent/domain/link_hop.hpp"
#include "agent/domain/restart_policy.hpp"
#include "agent/domain/sysctl_plan.hpp"

namespace slipway {

namespace {

using Intents = std::vector<Intent>;

constexpr char k_unit_dir[] = "/etc/systemd/system";

void add_all(Intents& out, ChangeKind kind, const std::vector<std::string>& names,
             const std::string& before = "") {
  for (const std::string& name : names) out.push_back({kind, before + name});
}

void add_sysctls(Intents& out, const std::vector<std::pair<std::string, std::string>>& keys) {
  for (const auto& [key, value] : keys) out.push_back({ChangeKind::sysctl, key, value});
}

// Read in the programs' sources (dockerd 20.10, containerd 1.6 and 2.1, cri-dockerd 0.3): folders that no setting of
// ours names.
void containerd_traces(Intents& out, const ComponentFiles& component, const HostPaths& paths) {
  const std::string& root = paths.host_root;
  add_all(out, ChangeKind::tree, {"/var/lib/containerd", "/opt/containerd", "/run/containerd"}, root);
  // Docker's makes no pods, and listens to no plugins of the node.
  if (component.artifact != "containerd") return;
  add_all(out, ChangeKind::tree, {"/run/nri"}, root);
  add_all(out, ChangeKind::namespaces, {"/run/netns/cni-"}, root);
}

void docker_traces(Intents& out, const HostPaths& paths) {
  const std::string& root = paths.host_root;
  add_all(out, ChangeKind::file, {paths.docker_dir + "/key.json"});
  add_all(out, ChangeKind::tree, {"/var/lib/docker", "/run/docker", "/run/docker.sock", "/run/docker.pid"}, root);
  // Only where docker.config asks for them.
  add_all(out, ChangeKind::device, {"docker0"});
  add_all(out, ChangeKind::chains, {"DOCKER"});
  add_all(out, ChangeKind::cgroup, {"docker"});
}

// The state of pods' sandboxes, and the socket.
void cri_dockerd_traces(Intents& out, const HostPaths& paths) {
  add_all(out, ChangeKind::tree, {"/var/lib/cri-dockerd", "/run/cri-dockerd.sock"}, paths.host_root);
}

// kubelet 1.18 to 1.23 with dockershim and kube-proxy in iptables, ipvs or nftables mode; the values of the sysctls are
// constants of the kubelet.
void kubelet_traces(Intents& out, const HostPaths& paths) {
  const std::string& root = paths.host_root;
  out.push_back({ChangeKind::tree, paths.kubelet_dir});
  add_all(out, ChangeKind::tree,
          {"/var/lib/dockershim", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
           "/usr/libexec/kubernetes", "/run/dockershim.sock"},
          root);
  add_sysctls(out, {{"vm/overcommit_memory", "1"},
                    {"vm/panic_on_oom", "0"},
                    {"kernel/panic", "10"},
                    {"kernel/panic_on_oops", "1"},
                    {"kernel/keys/root_maxkeys", "1000000"},
                    {"kernel/keys/root_maxbytes", "25000000"}});
  add_all(out, ChangeKind::cgroup, {"kubepods", "kubepods.slice"});
  add_all(out, ChangeKind::chains, {"KUBE-", "CNI-"});
}

void kube_proxy_traces(Intents& out, const HostPaths& paths) {
  out.push_back({ChangeKind::tree, paths.kube_proxy_dir});
  add_sysctls(out, {{"net/ipv4/conf/all/route_localnet", "1"},
                    {"net/netfilter/nf_conntrack_max", ""},
                    {"net/netfilter/nf_conntrack_buckets", ""},
                    {"net/netfilter/nf_conntrack_tcp_timeout_established", ""},
                    {"net/netfilter/nf_conntrack_tcp_timeout_close_wait", ""}});
  add_all(out, ChangeKind::device, {"kube-ipvs0"});
  add_all(out, ChangeKind::table, {"ip kube-proxy", "ip6 kube-proxy"});
}

// portmap, the plugin of host ports, has chains (CNI-) or, where there is no iptables, these.
void cni_traces(Intents& out, const HostPaths& paths) {
  out.push_back({ChangeKind::tree, paths.cni_state_dir, "", true});
  add_all(out, ChangeKind::table, {"ip cni_hostport", "ip6 cni_hostport"});
}

void own_traces(Intents& out, const ComponentFiles& component, const HostPaths& paths) {
  if (component.name == "containerd") containerd_traces(out, component, paths);
  if (component.name == "docker") docker_traces(out, paths);
  if (component.name == "cri-dockerd") cri_dockerd_traces(out, paths);
  if (component.name == "kubelet") kubelet_traces(out, paths);
  if (component.name == "kube-proxy") kube_proxy_traces(out, paths);
  if (component.name == "cni") cni_traces(out, paths);
  if (component.name == "etcd") out.push_back({ChangeKind::tree, paths.etcd_dir});
  if (component.name == "kube-apiserver") out.push_back({ChangeKind::tree, paths.log_dir});
}

Intent input_intent(const FileInput& input, const CredentialStore& credentials) {
  switch (input.kind) {
    case InputKind::certificate:
      return {ChangeKind::link, input.path, credentials.chain_path(input.name), true};
    case InputKind::private_key:
      return {ChangeKind::link, input.path, credentials.key_path(input.name), true};
    case InputKind::ca_bundle:
      return {ChangeKind::file, input.path, "", true};
    case InputKind::service_account_key:
    case InputKind::service_account_public:
      break;
  }
  return {ChangeKind::file, input.path};
}

void add_component(Intents& out, const ComponentFiles& component, const HostPaths& paths,
                   const CredentialStore& credentials) {
  own_traces(out, component, paths);
  for (const RenderedDir& dir : component.dirs) out.push_back({ChangeKind::dir, dir.path});
  for (const RenderedFile& file : component.files)
    out.push_back({ChangeKind::file, file.path, "", file.path.ends_with("slipway.conflist")});
  for (const std::string& path : component.removed)
    out.push_back({ChangeKind::file, path, "", path.ends_with("slipway.conflist")});
  for (const FileInput& input : component.inputs) out.push_back(input_intent(input, credentials));
  if (!component.unit) return;
  const std::string unit_file = paths.unit_dir + "/" + component.unit->name;
  out.push_back({ChangeKind::unit, component.unit->name, unit_file, true});
  out.push_back({ChangeKind::file, unit_file});
  out.push_back({ChangeKind::dir, pause_dropin_dir(paths.run_unit_dir, component.unit->name), "", true});
  out.push_back({ChangeKind::file, pause_dropin(paths.run_unit_dir, component.unit->name), "", true});
  out.push_back({ChangeKind::link, enabling_link(paths.unit_dir, component.unit->name), unit_file});
}

}  // namespace

std::vector<Intent> network_intents(const std::string& etc) {
  Intents out;
  out.push_back({ChangeKind::module, "br_netfilter"});
  for (const Sysctl& sysctl : network_sysctls()) out.push_back({ChangeKind::sysctl, sysctl.key, sysctl.value});
  for (const NetworkFile file : k_network_files)
    out.push_back({ChangeKind::file, etc + "/" + network_file_path(file), "", true});
  out.push_back({ChangeKind::routes, std::to_string(k_route_protocol), "", true});
  out.push_back({ChangeKind::addresses, k_link_hop_mark, "", true});
  out.push_back({ChangeKind::table, k_masquerade_table, "", true});
  out.push_back({ChangeKind::table, std::string("ip6 ") + k_masquerade_table, "", true});
  out.push_back({ChangeKind::chains, k_forward_chain, "", true});
  out.push_back({ChangeKind::device, k_pod_bridge});
  out.push_back({ChangeKind::device, k_overlay_device, "", true});
  return out;
}

std::vector<Intent> device_intents(const std::vector<NetworkStep>& steps) {
  // The tunnel's own comes and goes with it.
  const std::string own_folder = std::string("/") + k_overlay_device + "/";
  Intents out;
  for (const NetworkStep& step : steps) {
    const auto* set = std::get_if<SetSysctl>(&step);
    if (set != nullptr && set->sysctl.key.ends_with("/accept_ra") &&
        set->sysctl.key.find(own_folder) == std::string::npos)
      out.push_back({ChangeKind::sysctl, set->sysctl.key, set->sysctl.value});
  }
  return out;
}

std::vector<Intent> component_intents(const std::vector<ComponentFiles>& components, const HostPaths& paths,
                                      const CredentialStore& credentials) {
  Intents out;
  out.push_back({ChangeKind::tree, paths.install_root, "", true});
  out.push_back({ChangeKind::programs, paths.install_root, "", true});
  for (const ComponentFiles& component : components) add_component(out, component, paths, credentials);
  return out;
}

std::vector<Intent> join_intents(const std::string& config_file, const std::string& token_file) {
  constexpr char k_unit[] = "slipway-agent.service";
  return {{ChangeKind::file, token_file, "", true},
          {ChangeKind::file, config_file, "", true},
          // Where it leads is systemd's choice: it knows the unit by two folders.
          {ChangeKind::link, enabling_link(k_unit_dir, k_unit)}};
}

std::string enabling_link(const std::string& unit_dir, const std::string& unit) {
  return unit_dir + "/multi-user.target.wants/" + unit;
}

}  // namespace slipway
