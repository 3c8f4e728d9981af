#include "agent/render/component.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/render/parts.hpp"
#include "common/core/text.hpp"
#include "common/kube/config_keys.hpp"
#include "common/kube/runtime_rules.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;
using render_parts::invalid;
using render_parts::Settings;

struct Overrides {
  Json kubelet;
  Json kube_proxy;
  Json docker;
  Json containerd;
};

Result<Json> parse_overrides(const proto::RawJson& raw, const std::string& setting) {
  Json value = Json::parse(raw.text.empty() ? "{}" : raw.text, nullptr, false);
  if (value.is_null()) value = Json::object();
  if (!value.is_object()) return invalid(setting + " must be a map of settings");
  return value;
}

// What the coordinator asks too when settings are applied; here for settings that an older one let pass.
Status check_versions(const proto::ClusterSpec& cluster) {
  if (!kube::kube_minor(cluster.versions.kubernetes)) {
    return invalid("versions.kubernetes \"" + cluster.versions.kubernetes + "\" is no version; write it like 1.20.2");
  }
  const auto problems = kube::runtime_problems(cluster);
  if (!problems.empty()) return invalid(problems.front().field + ": " + problems.front().text);
  return {};
}

Status check_keys(const proto::ClusterSpec& cluster, int minor) {
  const auto refusal = [](const std::string& setting, const kube::KeyProblem& problem) {
    return invalid(setting + (problem.key.empty() ? "" : "." + problem.key.substr(0, 80)) + " " + problem.text);
  };
  const auto kubelet = kube::check_kubelet_config(cluster.kubelet.config.text, minor);
  if (!kubelet.empty()) return refusal("kubelet.config", kubelet.front());
  const auto kube_proxy = kube::check_kube_proxy_config(cluster.kube_proxy.config.text, minor);
  if (!kube_proxy.empty()) return refusal("kubeProxy.config", kube_proxy.front());
  return {};
}

// "https://10.77.0.10:6443" -> 6443
Result<std::uint16_t> api_port(const std::string& url) {
  if (!url.starts_with("https://")) return invalid("apiServer.endpoint \"" + url + "\" must start with https://; plain HTTP is not offered");
  const std::size_t colon = url.rfind(':');
  const bool has_port = colon > std::string("https").size() && url.find(']', colon) == std::string::npos;
  if (!has_port) return std::uint16_t{443};
  const auto port = parse_u64(url.substr(colon + 1), 65535);
  if (!port || *port == 0) return invalid("apiServer.endpoint \"" + url + "\": the port is no number between 1 and 65535");
  return static_cast<std::uint16_t>(*port);
}

std::optional<std::string> docker_cgroup_driver(const Json& docker) {
  constexpr std::string_view k_option = "native.cgroupdriver=";
  const auto options = docker.find("exec-opts");
  if (options == docker.end() || !options->is_array()) return std::nullopt;
  for (const Json& option : *options) {
    if (!option.is_string()) continue;
    const auto& text = option.get_ref<const std::string&>();
    if (text.starts_with(k_option)) return text.substr(k_option.size());
  }
  return std::nullopt;
}

// Docker and kubelet must name the same driver; whoever overrides one of them means both.
Result<std::string> cgroup_driver(const NodeContext& node, const Overrides& overrides) {
  const std::optional<std::string> docker = docker_cgroup_driver(overrides.docker);
  std::optional<std::string> kubelet;
  const auto set = overrides.kubelet.find("cgroupDriver");
  if (set != overrides.kubelet.end() && set->is_string()) kubelet = set->get<std::string>();
  if (docker && kubelet && *docker != *kubelet) {
    return invalid("kubelet.config.cgroupDriver is " + *kubelet + " but docker.config.exec-opts says " + *docker + "; make them the same");
  }
  const std::string driver = docker ? *docker : kubelet ? *kubelet : node.cgroup_driver;
  if (driver != "systemd" && driver != "cgroupfs") return invalid("cgroup driver \"" + driver + "\" is neither systemd nor cgroupfs");
  return driver;
}

Status parse_network(Settings& settings) {
  const proto::NetworkSettings& network = settings.node.cluster.network;
  Result<Cidr> pods = Cidr::parse(network.pod_cidr);
  if (!pods) return invalid("network.podCIDR: " + pods.error().message);
  Result<Cidr> services = Cidr::parse(network.service_cidr);
  if (!services) return invalid("network.serviceCIDR: " + services.error().message);
  settings.pod_network = *pods;
  settings.service_network = *services;
  settings.dns_address = services->at(10);
  if (!network.dns_ip.empty()) {
    Result<IpAddress> dns = IpAddress::parse(network.dns_ip);
    if (!dns || !services->contains(*dns)) return invalid("network.dnsIP \"" + network.dns_ip + "\" is no address of the service range " + services->to_string());
    settings.dns_address = *dns;
  }
  settings.dns_domain = network.dns_domain;
  if (!is_dns_subdomain(settings.dns_domain)) return invalid("network.dnsDomain \"" + settings.dns_domain + "\" is no DNS name");
  if (settings.node.pod_ranges.empty()) settings.node.pod_ranges = {*pods};
  if (!settings.node.pod_cidr.is_v4()) return invalid("the node's block " + settings.node.pod_cidr.to_string() + " is IPv6: this agent can only run IPv4 pods, or both families");
  const auto& ranges = settings.node.pod_ranges;
  const bool inside = std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.contains(settings.node.pod_cidr); });
  if (!inside) return invalid("the node's block " + settings.node.pod_cidr.to_string() + " is not within network.podCIDR " + pods->to_string() + " nor another pool");
  return {};
}

Result<Settings> parse_settings(const NodeContext& context, Overrides& overrides) {
  Settings settings;
  settings.node = context;
  if (!is_dns_subdomain(context.node_name)) return invalid("node name \"" + context.node_name + "\" is no DNS name");
  if (context.node_address.is_unspecified()) return invalid("the node's address is not known");
  if (context.role != "node" && context.role != "master") return invalid("role \"" + context.role + "\" is neither node nor master");
  if (Status checked = check_versions(context.cluster); !checked) return checked.error();
  settings.kube_minor = kube::kube_minor(context.cluster.versions.kubernetes).value_or(kube::k_newest_minor);
  if (Status checked = check_keys(context.cluster, settings.kube_minor); !checked) return checked.error();
  Result<std::uint16_t> port = api_port(context.cluster.api_server.endpoint);
  if (!port) return port.error();
  settings.api_port = *port;
  settings.api_url = context.cluster.api_server.endpoint;
  if (Status parsed = parse_network(settings); !parsed) return parsed.error();
  Result<std::string> driver = cgroup_driver(context, overrides);
  if (!driver) return driver.error();
  settings.cgroup_driver = *driver;
  settings.kubelet_overrides = &overrides.kubelet;
  settings.kube_proxy_overrides = &overrides.kube_proxy;
  settings.docker_overrides = &overrides.docker;
  settings.containerd_overrides = &overrides.containerd;
  return settings;
}

Result<Overrides> all_overrides(const proto::ClusterSpec& cluster) {
  Result<Json> kubelet = parse_overrides(cluster.kubelet.config, "kubelet.config");
  if (!kubelet) return kubelet.error();
  Result<Json> kube_proxy = parse_overrides(cluster.kube_proxy.config, "kubeProxy.config");
  if (!kube_proxy) return kube_proxy.error();
  Result<Json> docker = parse_overrides(cluster.docker.config, "docker.config");
  if (!docker) return docker.error();
  Result<Json> containerd = parse_overrides(cluster.containerd.config, "containerd.config");
  if (!containerd) return containerd.error();
  return Overrides{std::move(*kubelet), std::move(*kube_proxy), std::move(*docker), std::move(*containerd)};
}

using Renderer = Result<ComponentFiles> (*)(const Settings&);

std::vector<Renderer> runtime_renderers(const proto::ClusterSpec& cluster) {
  if (cluster.runtime == "containerd") return {render_parts::runc, render_parts::cri_containerd};
  std::vector<Renderer> renderers = {render_parts::docker_containerd, render_parts::docker};
  if (kube::needs_cri_dockerd(cluster)) renderers.push_back(render_parts::cri_dockerd);
  return renderers;
}

}  // namespace

Result<std::vector<ComponentFiles>> render_components(const NodeContext& context) {
  Result<Overrides> overrides = all_overrides(context.cluster);
  if (!overrides) return overrides.error();
  Result<Settings> settings = parse_settings(context, *overrides);
  if (!settings) return settings.error();

  std::vector<Renderer> renderers = runtime_renderers(context.cluster);
  if (context.role == "master") {
    renderers.insert(renderers.end(), {render_parts::etcd, render_parts::kube_apiserver, render_parts::kube_controller_manager,
                                       render_parts::kube_scheduler});
  }
  renderers.insert(renderers.end(), {render_parts::kubelet, render_parts::kube_proxy, render_parts::cni});

  std::vector<ComponentFiles> components;
  for (const Renderer renderer : renderers) {
    Result<ComponentFiles> component = renderer(*settings);
    if (!component) return component.error();
    components.push_back(std::move(*component));
  }
  return components;
}

}  // namespace slipway
