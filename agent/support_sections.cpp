#include "agent/support_sections.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "agent/config.hpp"
#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/filter_plan.hpp"
#include "agent/domain/sysctl_plan.hpp"
#include "common/core/text.hpp"
#include "common/crypto/key_forms.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "proto/codec.hpp"
#include "slipway_version.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_key_file = std::size_t{64} << 10;
constexpr std::size_t k_max_table = std::size_t{4} << 20;
constexpr std::size_t k_most_routes = 10'000;
constexpr int k_deepest = 6;
constexpr std::size_t k_most_keys = 512;

const char k_about[] =
    "What slipway-agent support has gathered on this host. MANIFEST.txt lists the members and what was cut "
    "or left out.\n"
    "Left out on purpose: private keys, tokens, kubeconfigs, the service account key, anything of workloads. "
    "What others wrote (logs, settings of\n"
    "Kubernetes and Docker) went through a filter that puts [redacted] in the place of whatever looks like a "
    "secret. Read it before you give it away.\n";

SupportSection fixed(std::string name, std::string text) {
  return {std::move(name), [text = std::move(text)]() -> Result<std::string> { return text; }};
}

std::string versions(const SupportSources& sources) {
  std::string text = "slipway-agent " + std::string(k_version) + "\n";
  if (!sources.status) return text;
  const proto::NodeFacts& facts = sources.status->report.facts;
  text += "os " + facts.os + "\nkernel " + facts.kernel + "\narchitecture " + facts.architecture + "\n";
  for (const proto::ComponentStatus& component : sources.status->report.components)
    text += component.name + " " + component.version + "\n";
  return text;
}

// /proc has files without a length: read in one go they are whole.
Result<std::string> proc_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return from_errno("open " + path, errno);
  std::string text;
  std::array<char, 16 * 1024> block{};
  for (std::size_t got = 1; got > 0 && text.size() < k_max_table;) {
    got = std::fread(block.data(), 1, block.size(), file.get());
    text.append(block.data(), got);
  }
  return text;
}

Result<std::string> sysctls() {
  std::vector<std::string> keys = network_sysctl_keys();
  for (const char* key : {"fs/inotify/max_user_watches", "fs/file-max", "kernel/pid_max", "kernel/panic",
                          "vm/overcommit_memory", "vm/swappiness"})
    keys.emplace_back(key);
  std::string text;
  for (const std::string& key : keys) {
    const auto value = proc_file("/proc/sys/" + key);
    text += key + " = " + (value ? std::string(trim(*value)) : "not there") + "\n";
  }
  return text;
}

template <class T>
void add_json(std::vector<SupportSection>& sections, const char* name, const std::optional<T>& value) {
  if (value) sections.push_back(fixed(name, proto::pretty(proto::encode(*value)) + "\n"));
}

void add_keys_of(const std::string& path, std::vector<Secret>& secrets) {
  auto text = read_file(path, k_max_key_file);
  if (!text || text->find("PRIVATE KEY") == std::string::npos) return;
  auto forms = key_forms(Secret(std::move(*text)));
  if (!forms) return;
  for (Secret& form : *forms) secrets.push_back(std::move(form));
}

void add_keys_below(const std::string& dir, int depth, std::size_t& left, std::vector<Secret>& secrets) {
  const auto names = list_dir(dir);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string path = dir + "/" + name;
    if (left == 0 || depth == 0) return;
    // Links lead to what is found under its own name.
    if (read_link(path)) continue;
    if (list_dir(path)) {
      add_keys_below(path, depth - 1, left, secrets);
      continue;
    }
    --left;
    add_keys_of(path, secrets);
  }
}

}  // namespace

std::vector<SupportSection> support_sections(SupportSources sources) {
  const auto shared = std::make_shared<const SupportSources>(std::move(sources));
  std::vector<SupportSection> sections;
  sections.push_back(fixed("about.txt", k_about));
  sections.push_back(fixed("versions.txt", versions(*shared)));
  sections.push_back(fixed("agent.json", proto::pretty(proto::encode(shared->config)) + "\n"));
  add_json(sections, "status.json", shared->status);
  add_json(sections, "health.json", shared->health);
  sections.push_back({"preflight.json", [shared]() -> Result<std::string> {
                        const auto report = shared->preflight();
                        if (!report) return report.error();
                        return proto::pretty(proto::encode(*report)) + "\n";
                      }});
  if (shared->status)
    add_json(sections, "facts.json", std::optional<proto::NodeFacts>(shared->status->report.facts));
  if (!shared->reconcile.empty()) sections.push_back(fixed("reconcile.txt", shared->reconcile));
  if (!shared->units.empty()) sections.push_back(fixed("units.txt", shared->units));
  if (!shared->network.empty()) sections.push_back(fixed("network.txt", shared->network));
  sections.push_back({"routes.txt", [] { return proc_file("/proc/net/route"); }});
  sections.push_back({"sysctls.txt", sysctls});
  sections.push_back({"mounts.txt", [] { return proc_file("/proc/self/mountinfo"); }});
  for (const std::string& unit : shared->unit_names)
    sections.push_back({"journal/" + unit + ".log", [shared, unit] { return shared->journal(unit); }});
  // The longest of them last: of a cluster with thousands of nodes.
  add_json(sections, "desired.json", shared->desired);
  return sections;
}

std::string in_words(const PassReport& pass) {
  std::string text = "revision " + std::to_string(pass.revision) + "\ninstalled " +
                     (pass.installed ? "yes" : "no") + ", configured " + (pass.configured ? "yes" : "no") +
                     ", network " + (pass.network_ready ? "ready" : "not ready: " + pass.network_message) +
                     ", peers " + (pass.peers_applied ? "applied" : "not applied") + "\n";
  for (const ComponentOutcome& component : pass.components) {
    text += "component " + component.name + " " + component.version + " " + component.state + " " +
            component.message + "\n";
  }
  for (const auto& [what, lines] : {std::pair("changed", &pass.changes), std::pair("drifted", &pass.drifted),
                                    std::pair("problem", &pass.problems)}) {
    for (const std::string& line : *lines) text += std::string(what) + " " + line + "\n";
  }
  return text;
}

std::string in_words(const NetworkObserved& network) {
  std::string text;
  for (const NetworkLink& link : network.links) {
    text += "link " + std::to_string(link.index) + " " + link.name + (link.up ? " up" : " down") +
            (link.carrier ? "" : " no-carrier") + " mtu " + std::to_string(link.mtu) +
            (link.master > 0 ? " master " + std::to_string(link.master) : "") +
            (link.vxlan ? " vxlan " + std::to_string(link.vxlan->id) + " port " + std::to_string(link.vxlan->port) : "");
    for (const LinkAddress& address : link.addresses)
      text += " " + address.address.to_string() + "/" + std::to_string(address.prefix_length);
    text += "\n";
  }
  std::size_t routes = 0;
  for (const MarkedRoute& route : network.routes) {
    if (++routes > k_most_routes) break;
    text += "route " + route.destination.to_string() + (route.blackhole ? " blackhole" : "") +
            (route.gateway ? " via " + route.gateway->to_string() : "") + " link " +
            std::to_string(route.link) + " metric " + std::to_string(route.metric) + "\n";
  }
  text += std::to_string(network.routes.size()) + " routes of ours in all\n";
  text += "tunnel: " + std::to_string(network.neighbours.size()) + " neighbours, " + std::to_string(network.forwarding.size()) +
          " forwarding entries\n";
  text += in_words(network.filter);
  return text;
}

std::string in_words(const UnitStatus& unit) {
  std::string text = unit.name + (unit.running() ? " running" : " not running") + " (" + unit.sub_state +
                     ") pid " + std::to_string(unit.main_pid) + ", restarts " +
                     std::to_string(unit.restarts) + ", result " + unit.result +
                     (unit.enabled ? "" : ", not enabled") +
                     (unit.needs_reload ? ", file changed on disk" : "");
  if (unit.started) text += ", since " + to_rfc3339(*unit.started);
  if (unit.exit_kind != ExitKind::none) text += ", last " + describe_exit(unit);
  return text + "\n";
}

std::vector<Secret> secrets_of_host(const std::vector<std::string>& dirs, const std::string& token_file) {
  std::vector<Secret> secrets;
  std::size_t left = k_most_keys;
  for (const std::string& dir : dirs) add_keys_below(dir, k_deepest, left, secrets);
  const auto token = read_token(token_file, "");
  if (!token) return secrets;
  const std::string_view text = trim(token->reveal());
  secrets.emplace_back(std::string(text));
  const std::size_t dot = text.rfind('.');
  if (dot != std::string_view::npos) secrets.emplace_back(std::string(text.substr(dot + 1)));
  return secrets;
}

}  // namespace slipway
