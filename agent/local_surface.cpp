#include "agent/local_surface.hpp"

#include <grp.h>

#include <array>
#include <utility>

#include "agent/local_client.hpp"
#include "agent/preflight_command.hpp"
#include "agent/process/host_units.hpp"
#include "agent/service/status.hpp"
#include "agent/support_sections.hpp"
#include "common/files/atomic_file.hpp"
#include "common/log/log.hpp"

namespace slipway {

namespace {

std::optional<gid_t> group_named(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::array<char, 16 * 1024> buffer{};
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->gr_gid;
  log::warning("localGroup is no group of this host: only root may ask the agent", {{"group", name}});
  return std::nullopt;
}

Result<proto::PreflightReport> look(const proto::AgentConfig& config, std::vector<std::string> ignore) {
  PreflightOptions options = preflight_options(config);
  options.ignore = std::move(ignore);
  const auto findings = run_preflight(options);
  if (!findings) return findings.error();
  return preflight_report(*findings);
}

std::string observed_network(Network& network) {
  const auto seen = network.observe();
  return seen ? in_words(*seen) : "observing failed: " + seen.error().message + "\n";
}

}  // namespace

LocalSurface::LocalSurface(Deps deps)
    : deps_(std::move(deps)),
      group_(group_named(deps_.config.local_group)),
      api_(api_deps()),
      server_(deps_.executor, api_.handler()) {}

LocalApi::Deps LocalSurface::api_deps() {
  const proto::AgentConfig* config = &deps_.config;
  LocalApi::Deps deps{
      deps_.clock,
      deps_.state,
      [this]() -> Workers& { return workers(); },
      deps_.probe,
      [config](std::vector<std::string> ignore) { return look(*config, std::move(ignore)); },
      [this](const proto::HealthReport& health) { return sections(health); },
      [config] {
        return secrets_of_host({config->data_dir, HostPaths().kubernetes_dir}, config->token_file);
      },
      group_};
  return deps;
}

Workers& LocalSurface::workers() {
  if (!workers_) workers_ = std::make_unique<Workers>(1);
  return *workers_;
}

std::vector<SupportSection> LocalSurface::sections(const proto::HealthReport& health) {
  SupportSources sources;
  sources.config = deps_.config;
  sources.status = build_local_status(deps_.state, deps_.clock.wall());
  sources.health = health;
  sources.desired = deps_.state.desired;
  if (deps_.state.last_pass) sources.reconcile = in_words(*deps_.state.last_pass);
  sources.network = observed_network(deps_.network);
  sources.unit_names = {"slipway-agent.service"};
  for (const auto& [name, unit] : deps_.state.units) {
    sources.units += in_words(unit);
    sources.unit_names.push_back(name);
  }
  sources.preflight = [config = &deps_.config] { return look(*config, {}); };
  sources.journal = last_log;
  return support_sections(std::move(sources));
}

Status LocalSurface::listen() {
  if (const Status made = make_dirs(parent_path(k_local_socket), 0755); !made) return made;
  return server_.listen(k_local_socket, group_);
}

}  // namespace slipway
