#include "agent/render/parts.hpp"

#include <nlohmann/json.hpp>

#include "common/config/yaml_to_json.hpp"
#include "common/kube/runtime_rules.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

Error invalid(std::string what) { return make_error(Errc::invalid, "render components: " + std::move(what)); }

std::string flag(std::string_view name, std::string_view value) {
  return "--" + std::string(name) + "=" + std::string(value);
}

void add_flag(std::vector<std::string>& command, int kube_minor, const kube::KnownFlag& known, std::string_view value) {
  if (known.exists_in(kube_minor)) command.push_back(flag(known.name(), value));
}

RuntimeLink runtime_link(const Settings& settings) {
  const std::string unix_scheme = "unix://";
  if (settings.node.cluster.runtime == "containerd") return {"containerd.service", unix_scheme + k_containerd_socket};
  if (kube::needs_cri_dockerd(settings.node.cluster)) return {"cri-docker.service", unix_scheme + k_cri_dockerd_socket};
  return {"docker.service", ""};
}

std::string chain_file(const std::string& dir, const std::string& usage) { return dir + "/" + usage + ".crt"; }
std::string key_file(const std::string& dir, const std::string& usage) { return dir + "/" + usage + ".key"; }
std::string ca_file(const std::string& dir, const std::string& ca) { return dir + "/" + ca + "-ca.crt"; }

void add_pair(ComponentFiles& component, const std::string& dir, const std::string& usage, bool restart) {
  component.inputs.push_back({InputKind::certificate, usage, chain_file(dir, usage), restart});
  component.inputs.push_back({InputKind::private_key, usage, key_file(dir, usage), restart});
}

void add_ca(ComponentFiles& component, const std::string& dir, const std::string& ca, bool restart) {
  component.inputs.push_back({InputKind::ca_bundle, ca, ca_file(dir, ca), restart});
}

Result<RenderedFile> yaml_file(const std::string& path, mode_t mode, const Json& value) {
  Result<std::string> text = json_to_yaml(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!text) return error_of(text, "render " + path);
  return RenderedFile{path, mode, "# Written by slipway-agent; changes are undone. Settings: the cluster's configuration.\n" + *text};
}

Result<RenderedFile> kubeconfig(const Settings& settings, const std::string& path, const std::string& pki_dir, const std::string& usage) {
  const std::string& name = settings.node.cluster.metadata.name;
  const Json value = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"clusters", {{{"name", name}, {"cluster", {{"server", settings.api_url}, {"certificate-authority", ca_file(pki_dir, "apiserver")}}}}}},
      {"users",
       {{{"name", usage}, {"user", {{"client-certificate", chain_file(pki_dir, usage)}, {"client-key", key_file(pki_dir, usage)}}}}}},
      {"contexts", {{{"name", name}, {"context", {{"cluster", name}, {"user", usage}}}}}},
      {"current-context", name}};
  return yaml_file(path, 0600, value);
}

UnitSpec make_unit(const Settings&, const std::string& name, const std::string& title, const std::string& version) {
  UnitSpec unit;
  unit.name = name + ".service";
  // The version stands in the unit, so that an upgrade changes its text and with it calls for a restart.
  unit.description = title + " " + version + " (Slipway)";
  unit.after = {"network-online.target"};
  unit.wants = {"network-online.target"};
  // At once: systemd's timers may come a quarter of a second late, whatever RestartSec= says (sd_event_add_time(3)).
  unit.restart = {RestartWhen::always, std::chrono::milliseconds(0)};
  unit.limit_nofile = 1048576;
  // None of them needs long; a shutdown of the host must not wait for one that hangs.
  unit.timeout_stop = std::chrono::seconds(15);
  return unit;
}

}  // namespace slipway::render_parts
