#include "agent/domain/install_plan.hpp"

namespace slipway {

namespace {

void plan_component(const std::string& name, const std::string& wanted, const InstalledComponent& have,
                    std::vector<InstallStep>& steps) {
  if (!have.versions.contains(wanted)) steps.push_back({InstallAction::fetch, name, wanted});
  const bool switches = have.current != wanted;
  if (switches) steps.push_back({InstallAction::activate, name, wanted});
  // Switching makes what is current now the way back.
  const std::string& way_back = switches && !have.current.empty() ? have.current : have.previous;
  for (const std::string& version : have.versions) {
    if (version != wanted && version != way_back) steps.push_back({InstallAction::remove, name, version});
  }
  for (const std::string& version : have.broken) {
    if (version != wanted) steps.push_back({InstallAction::remove, name, version});
  }
}

}  // namespace

std::vector<InstallStep> plan_install(const std::map<std::string, std::string>& desired,
                                      const std::map<std::string, InstalledComponent>& installed) {
  std::vector<InstallStep> steps;
  for (const auto& [name, wanted] : desired) {
    const auto have = installed.find(name);
    plan_component(name, wanted, have == installed.end() ? InstalledComponent{} : have->second, steps);
  }
  return steps;
}

}  // namespace slipway
