// kubelet and kube-proxy.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/render/parts.hpp"
#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "common/kube/component_settings.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

namespace {

Json kubelet_defaults(const Settings& settings, const std::string& pki) {
  const NodeContext& node = settings.node;
  Json config = {
      {"apiVersion", kube::k_kubelet_api},
      {"kind", "KubeletConfiguration"},
      {"authentication",
       {{"anonymous", {{"enabled", false}}}, {"webhook", {{"enabled", true}}}, {"x509", {{"clientCAFile", ca_file(pki, "kubeClient")}}}}},
      {"authorization", {{"mode", "Webhook"}}},
      {"cgroupDriver", settings.cgroup_driver},
      {"clusterDNS", {settings.dns_address.to_string()}},
      {"clusterDomain", settings.dns_domain},
      {"healthzBindAddress", "127.0.0.1"},
      {"healthzPort", 10248},
      {"readOnlyPort", 0},
      {"resolvConf", node.resolv_conf},
      // Keys and certificates are the agent's work, from the coordinator's CAs.
      {"rotateCertificates", false},
      {"serverTLSBootstrap", false},
      {"staticPodPath", node.paths.kubernetes_dir + "/manifests"},
      {"tlsCertFile", chain_file(pki, "kubeletServing")},
      {"tlsPrivateKeyFile", key_file(pki, "kubeletServing")},
      {"tlsMinVersion", "VersionTLS12"}};
  config["maxPods"] = node.cluster.kubelet.max_pods;
  const RuntimeLink runtime = runtime_link(settings);
  if (!runtime.endpoint.empty() && kube::k_runtime_endpoint_field.contains(settings.kube_minor)) config["containerRuntimeEndpoint"] = runtime.endpoint;
  return config;
}

// Settings whose change would open the kubelet to others or take it out of the agent's hands.
Status check_kubelet_overrides(const Json& over) {
  static constexpr const char* k_kept[] = {"apiVersion",  "kind",           "authentication",    "authorization",
                                           "tlsCertFile", "tlsPrivateKeyFile", "rotateCertificates", "serverTLSBootstrap",
                                           "healthzPort", "healthzBindAddress", "readOnlyPort",   "containerRuntimeEndpoint", "imageServiceEndpoint"};
  for (const char* key : k_kept) {
    if (over.contains(key)) return invalid("kubelet.config." + std::string(key) + " cannot be set: Slipway decides it");
  }
  return {};
}

std::string flag_name(const std::string& argument) { return argument.substr(0, argument.find('=')); }

Status check_extra_args(const std::vector<std::string>& extra, const std::vector<std::string>& ours) {
  static constexpr const char* k_kept[] = {"--anonymous-auth", "--authentication-token-webhook", "--authorization-mode", "--bootstrap-kubeconfig",
                                           "--client-ca-file", "--cgroup-driver",  "--read-only-port", "--rotate-certificates",
                                           "--tls-cert-file",  "--tls-private-key-file", "--healthz-port", "--healthz-bind-address",
                                           "--container-runtime", "--container-runtime-endpoint", "--image-service-endpoint"};
  for (const std::string& argument : extra) {
    if (!argument.starts_with("--") || argument.size() < 4) {
      return invalid("kubelet.extraArgs: \"" + argument + "\" is no flag; write --name=value");
    }
    const std::string name = flag_name(argument);
    bool kept = std::find(std::begin(k_kept), std::end(k_kept), name) != std::end(k_kept);
    for (const std::string& own : ours) kept = kept || flag_name(own) == name;
    if (kept) return invalid("kubelet.extraArgs: " + name + " cannot be set: Slipway decides it");
  }
  return {};
}

void add_runtime_flags(std::vector<std::string>& command, const Settings& settings) {
  const HostPaths& paths = settings.node.paths;
  const int minor = settings.kube_minor;
  const RuntimeLink runtime = runtime_link(settings);
  if (runtime.endpoint.empty()) {
    add_flag(command, minor, {"kubelet", "container-runtime"}, "docker");
    add_flag(command, minor, {"kubelet", "docker-endpoint"}, "unix://" + std::string(k_docker_socket));
    add_flag(command, minor, {"kubelet", "network-plugin"}, "cni");
    add_flag(command, minor, {"kubelet", "cni-bin-dir"}, join(cni_bin_dirs(settings), ","));
    add_flag(command, minor, {"kubelet", "cni-conf-dir"}, paths.cni_conf_dir);
  } else {
    add_flag(command, minor, {"kubelet", "container-runtime"}, "remote");
    add_flag(command, minor, {"kubelet", "container-runtime-endpoint"}, runtime.endpoint);
  }
  // With a remote runtime it says which image is not to be collected.
  const std::string& sandbox = settings.node.cluster.kubelet.pod_infra_container_image;
  if (!sandbox.empty()) add_flag(command, minor, {"kubelet", "pod-infra-container-image"}, sandbox);
}

std::vector<std::string> kubelet_command(const Settings& settings, const std::string& pki) {
  const NodeContext& node = settings.node;
  const std::string& dir = node.paths.kubelet_dir;
  const int minor = settings.kube_minor;
  std::vector<std::string> command = {settings.program("kubelet", "kubelet")};
  add_flag(command, minor, {"kubelet", "kubeconfig"}, dir + "/kubeconfig");
  add_flag(command, minor, {"kubelet", "config"}, dir + "/config.yaml");
  add_flag(command, minor, {"kubelet", "root-dir"}, dir);
  add_flag(command, minor, {"kubelet", "cert-dir"}, pki);
  add_flag(command, minor, {"kubelet", "hostname-override"}, node.node_name);
  add_flag(command, minor, {"kubelet", "node-ip"}, node.node_address.to_string());
  add_runtime_flags(command, settings);
  return command;
}

UnitSpec kubelet_unit(const Settings& settings, std::vector<std::string> command) {
  UnitSpec unit = make_unit(settings, "kubelet", "Kubernetes kubelet", settings.node.cluster.versions.kubernetes);
  const std::string runtime = runtime_link(settings).unit;
  unit.after.push_back(runtime);
  unit.wants.push_back(runtime);
  unit.exec = std::move(command);
  // Mount helpers and exec sessions are not the kubelet's to take along.
  unit.kill_mode = KillMode::process;
  // They count as its own, though.
  unit.tasks_max = k_limit_infinity;
  unit.oom_score_adjust = -450;
  return unit;
}

Json kube_proxy_config(const Settings& settings) {
  Json config = {{"apiVersion", kube::k_kube_proxy_api},
                 {"kind", "KubeProxyConfiguration"},
                 {"bindAddress", "0.0.0.0"},
                 {"clientConnection", {{"kubeconfig", settings.node.paths.kube_proxy_dir + "/kubeconfig"}}},
                 {"clusterCIDR", settings.pod_network.to_string()},
                 {"healthzBindAddress", "127.0.0.1:10256"},
                 {"metricsBindAddress", "127.0.0.1:10249"},
                 {"hostnameOverride", settings.node.node_name},
                 {"mode", "iptables"}};
  // One range cannot say which traffic is the pods' when there are several: then it is what comes from the node's own block.
  const auto& ranges = settings.node.pod_ranges;
  if (std::count_if(ranges.begin(), ranges.end(), [](const Cidr& range) { return range.is_v4(); }) > 1) {
    config.erase("clusterCIDR");
    config["detectLocalMode"] = "NodeCIDR";
  }
  config.merge_patch(*settings.kube_proxy_overrides);
  return config;
}

Status check_kube_proxy_overrides(const Json& over) {
  for (const char* key : {"apiVersion", "kind", "clientConnection", "hostnameOverride", "healthzBindAddress"}) {
    if (over.contains(key)) return invalid("kubeProxy.config." + std::string(key) + " cannot be set: Slipway decides it");
  }
  return {};
}

}  // namespace

namespace {

// A name that the component does not know would keep it from starting, or do nothing without a word.
Status check_known(const std::vector<kube::SettingProblem>& problems, const std::string& component) {
  for (const kube::SettingProblem& problem : problems) return invalid(component + "." + problem.where + ": " + problem.what);
  return {};
}

}  // namespace

Result<ComponentFiles> kubelet(const Settings& settings) {
  if (Status checked = check_kubelet_overrides(*settings.kubelet_overrides); !checked) return checked.error();
  const HostPaths& paths = settings.node.paths;
  const std::string pki = paths.kubelet_dir + "/pki";
  std::vector<std::string> command = kubelet_command(settings, pki);
  const std::vector<std::string>& extra = settings.node.cluster.kubelet.extra_args;
  if (Status checked = check_extra_args(extra, command); !checked) return checked.error();
  const auto unknown = kube::kubelet_problems({settings.node.cluster.kubelet.config, extra}, settings.kube_minor);
  if (Status checked = check_known(unknown, "kubelet"); !checked) return checked.error();
  command.insert(command.end(), extra.begin(), extra.end());

  Json config = kubelet_defaults(settings, pki);
  config.merge_patch(*settings.kubelet_overrides);
  Result<RenderedFile> config_file = yaml_file(paths.kubelet_dir + "/config.yaml", 0600, config);
  if (!config_file) return config_file.error();
  Result<RenderedFile> access = kubeconfig(settings, paths.kubelet_dir + "/kubeconfig", pki, "kubeletClient");
  if (!access) return access.error();

  ComponentFiles component;
  component.name = "kubelet";
  component.artifact = "kubelet";
  component.version = settings.node.cluster.versions.kubernetes;
  component.dirs = {{paths.kubelet_dir, 0750}, {pki, 0700, true}, {paths.kubernetes_dir, 0755}, {paths.kubernetes_dir + "/manifests", 0700}};
  component.files = {*config_file, *access};
  add_pair(component, pki, "kubeletClient");
  // kubelet 1.20 reads its serving pair at start and never again.
  add_pair(component, pki, "kubeletServing", true);
  add_ca(component, pki, "kubeClient");
  add_ca(component, pki, "apiserver", true);
  component.unit = kubelet_unit(settings, std::move(command));
  component.probe = HealthProbe{HealthProbe::Kind::http, "127.0.0.1", 10248, "/healthz", "", ""};
  return component;
}

Result<ComponentFiles> kube_proxy(const Settings& settings) {
  if (Status checked = check_kube_proxy_overrides(*settings.kube_proxy_overrides); !checked) return checked.error();
  const proto::ComponentSettings& set = settings.node.cluster.kube_proxy;
  if (Status checked = check_known(kube::kube_proxy_problems(set, settings.kube_minor), "kubeProxy"); !checked) return checked.error();
  const std::string& dir = settings.node.paths.kube_proxy_dir;
  const std::string pki = dir + "/pki";
  Result<RenderedFile> config = yaml_file(dir + "/config.yaml", 0600, kube_proxy_config(settings));
  if (!config) return config.error();
  Result<RenderedFile> access = kubeconfig(settings, dir + "/kubeconfig", pki, "kubeProxy");
  if (!access) return access.error();

  ComponentFiles component;
  component.name = "kube-proxy";
  component.artifact = "kube-proxy";
  component.version = settings.node.cluster.versions.kubernetes;
  component.dirs = {{dir, 0750}, {pki, 0700, true}};
  component.files = {*config, *access};
  add_pair(component, pki, "kubeProxy");
  add_ca(component, pki, "apiserver", true);
  component.after_network = true;
  UnitSpec unit = make_unit(settings, "kube-proxy", "Kubernetes kube-proxy", component.version);
  unit.exec = {settings.program("kube-proxy", "kube-proxy")};
  add_flag(unit.exec, settings.kube_minor, {"kube-proxy", "config"}, dir + "/config.yaml");
  unit.exec.insert(unit.exec.end(), set.extra_args.begin(), set.extra_args.end());
  unit.oom_score_adjust = -450;
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::http, "127.0.0.1", 10256, "/healthz", "", ""};
  return component;
}

}  // namespace slipway::render_parts
