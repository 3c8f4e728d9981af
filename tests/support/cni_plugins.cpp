#include "tests/support/cni_plugins.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "agent/render/component.hpp"
#include "common/process/run_program.hpp"

namespace slipway::test {

using Json = nlohmann::json;

namespace {

constexpr char k_folder[] = "/usr/lib/cni";  // Debian's; upstream's own is /opt/cni/bin
constexpr std::chrono::seconds k_limit{60};  // of one plugin, on a machine that compiles

struct Call {
  const char* command;  // ADD, DEL
  const char* interface;
};

// What the plugin prints.
std::string run_plugin(const Call& call, const CniPod& pod, const Json& config) {
  const std::string type = config.value("type", "");
  const std::vector<std::string> argv = {"/usr/bin/env",
                                         "-i",
                                         "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                         std::string("CNI_COMMAND=") + call.command,
                                         "CNI_CONTAINERID=" + pod.container,
                                         "CNI_NETNS=" + pod.netns,
                                         std::string("CNI_IFNAME=") + call.interface,
                                         std::string("CNI_PATH=") + k_folder,
                                         std::string(k_folder) + "/" + type};
  const auto output = run_program(argv, config.dump(), k_limit);
  if (!output) throw std::runtime_error(output.error().message);
  if (output->exit_code != 0)  // what went wrong is JSON on standard output
    throw std::runtime_error(std::string(call.command) + " by " + type + ": " + output->out + output->err);
  return output->out;
}

Json mapping_of(const CniPod& pod) {
  return {{"hostPort", pod.host_port}, {"containerPort", 80}, {"protocol", "udp"}, {"hostIP", ""}};
}

// The configuration of one plugin of the list as libcni makes it.
Json config_of(const Json& list, Json plugin, const CniPod& pod, const Json& before) {
  plugin["name"] = list.at("name");
  plugin["cniVersion"] = list.at("cniVersion");
  if (!before.is_null()) plugin["prevResult"] = before;
  const Json capabilities = plugin.value("capabilities", Json::object());
  plugin.erase("capabilities");
  if (pod.host_port != 0 && capabilities.value("portMappings", false))
    plugin["runtimeConfig"]["portMappings"] = Json::array({mapping_of(pod)});
  return plugin;
}

void add_loopback(const CniPod& pod) {
  (void)run_plugin({"ADD", "lo"}, pod, {{"cniVersion", "0.2.0"}, {"name", "cni-loopback"}, {"type", "loopback"}});
}

}  // namespace

bool have_cni_plugins() {
  const std::vector<std::string> needed = {"bridge", "host-local", "loopback", "portmap"};
  return std::none_of(needed.begin(), needed.end(),
                      [](const std::string& name) { return find_program({k_folder}, name).empty(); });
}

bool no_cni_plugins() {
  const bool none = !have_cni_plugins();
  if (none) WARN("SKIPPED: needs the CNI plugins of Debian's containernetworking-plugins in " << k_folder);
  return none;
}

std::string rendered_conflist(const Cidr& block, const std::optional<Cidr>& second, int mtu, const std::string& state_dir) {
  NodeContext node;
  node.node_name = "n1";
  node.node_address = *IpAddress::parse("10.77.0.11");
  node.pod_cidr = block;
  node.second_pod_cidr = second;
  node.pod_mtu = static_cast<std::uint32_t>(mtu);
  node.cluster.metadata.name = "lab";
  node.cluster.api_server.endpoint = "https://10.77.0.10:6443";
  node.cluster.network.pod_cidr = "10.10.0.0/16";
  node.cluster.network.service_cidr = "10.0.0.0/16";
  node.cluster.versions = {"1.20.2", "3.4.23", "20.10.24", "1.1.1"};
  node.cluster.kubelet.pod_infra_container_image = "slipway/pause:1";
  node.paths.cni_state_dir = state_dir;
  const auto components = render_components(node);
  if (!components) throw std::runtime_error(components.error().message);
  for (const ComponentFiles& component : *components)
    if (component.name == "cni") return component.files.at(0).content;
  throw std::runtime_error("no CNI configuration was rendered");
}

void cni_add(const std::string& conflist, CniPod& pod) {
  add_loopback(pod);
  const Json list = Json::parse(conflist);
  Json result;
  for (const Json& plugin : list.at("plugins"))
    result = Json::parse(run_plugin({"ADD", "eth0"}, pod, config_of(list, plugin, pod, result)));
  pod.result = result.dump();
}

void cni_del(const std::string& conflist, const CniPod& pod) {
  const Json list = Json::parse(conflist);
  const Json result = pod.result.empty() ? Json() : Json::parse(pod.result);
  const Json& plugins = list.at("plugins");
  for (auto plugin = plugins.rbegin(); plugin != plugins.rend(); ++plugin)
    (void)run_plugin({"DEL", "eth0"}, pod, config_of(list, *plugin, pod, result));
}

std::string node_end(const CniPod& pod) {
  const Json result = Json::parse(pod.result);
  for (const Json& interface : result.at("interfaces")) {
    const std::string name = interface.value("name", "");
    if (name.starts_with("veth") && !interface.contains("sandbox")) return name;
  }
  throw std::runtime_error("no interface of the node's in " + pod.result);
}

std::vector<IpAddress> addresses_of(const CniPod& pod) {
  std::vector<IpAddress> out;
  const Json result = Json::parse(pod.result);
  for (const Json& ip : result.at("ips")) {
    const std::string address = ip.value("address", "");
    out.push_back(IpAddress::parse(address.substr(0, address.find('/'))).value());
  }
  return out;
}

std::string cached_result_name(const CniPod& pod) {
  return "slipway-" + pod.container + "-eth0";
}

std::string cached_result(const CniPod& pod, const std::string& pod_namespace, const std::string& pod_name) {
  Json file = {{"kind", "cniCacheV1"},
               {"containerId", pod.container},
               {"config", ""},
               {"ifName", "eth0"},
               {"networkName", "slipway"},
               {"result", pod.result.empty() ? Json() : Json::parse(pod.result)}};
  // A list of lists of two would be taken for an object.
  file["cniArgs"] = Json::array({Json::array({"IgnoreUnknown", "1"}), Json::array({"K8S_POD_NAMESPACE", pod_namespace}),
                                 Json::array({"K8S_POD_NAME", pod_name})});
  if (pod.host_port != 0)
    file["capabilityArgs"]["portMappings"] = Json::array({mapping_of(pod)});
  return file.dump();
}

}  // namespace slipway::test
