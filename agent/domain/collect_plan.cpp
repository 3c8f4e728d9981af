#include "agent/domain/collect_plan.hpp"

#include <string_view>

namespace slipway {

namespace {

constexpr std::string_view k_part = ".part";

bool is_wanted(const StoredPart& part, const std::set<std::string>& wanted) {
  return part.name.ends_with(k_part) && wanted.contains(part.name.substr(0, part.name.size() - k_part.size()));
}

void plan_component(const std::string& name, const StoredComponent& stored, const ProgramsInUse& use, std::vector<CollectStep>& steps) {
  const auto add = [&](Garbage kind, const std::string& folder) {
    if (!use.running.contains({name, folder})) steps.push_back({kind, name, folder});
  };
  for (const std::string& folder : stored.unfinished) add(Garbage::unfinished, folder);
  if (stored.current.empty()) return;
  for (const std::string& version : stored.versions) {
    if (version != stored.current && version != stored.previous) add(Garbage::version, version);
  }
}

}  // namespace

std::vector<CollectStep> plan_collection(const StoredPrograms& stored, const ProgramsInUse& use, WallTime now) {
  std::vector<CollectStep> steps;
  for (const auto& [name, component] : stored.components) plan_component(name, component, use, steps);
  for (const StoredPart& part : stored.parts) {
    if (!is_wanted(part, use.wanted) && now - part.written >= k_unwanted_part_life) steps.push_back({Garbage::part, "", part.name});
  }
  return steps;
}

}  // namespace slipway
