#include "agent/install/collector.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "agent/install/layout.hpp"
#include "common/core/text.hpp"
#include "common/files/tree.hpp"

namespace slipway::install_layout {

namespace {

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Names in a folder that need not be there.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  auto names = list_dir(folder);
  if (!names && names.error().code == Errc::not_found) return std::vector<std::string>();
  return names;
}

Result<StoredComponent> stored_component(const InstallPaths& paths, const std::string& component) {
  StoredComponent stored;
  auto names = list_dir(paths.component_dir(component));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (is_temporary(name)) stored.unfinished.insert(name);
    else if (is_safe_name(name) && is_folder(paths.version_dir(component, name))) stored.versions.insert(name);
  }
  stored.current = version_behind(paths.current_link(component));
  stored.previous = version_behind(paths.previous_link(component));
  return stored;
}

// "kubelet" and "1.20.2" of <root>/kubelet/1.20.2/kubelet; also of what was removed meanwhile ("... (deleted)").
std::optional<std::pair<std::string, std::string>> place_below(const std::string& root, const std::string& program) {
  if (!program.starts_with(root + "/")) return std::nullopt;
  const auto parts = split(std::string_view(program).substr(root.size() + 1), '/');
  if (parts.size() < 3) return std::nullopt;
  return std::pair{std::string(parts[0]), std::string(parts[1])};
}

std::string shown(const CollectStep& step) {
  switch (step.kind) {
    case Garbage::version: return step.component + " " + step.name;
    case Garbage::unfinished: return "what a crash had left of " + step.component;
    case Garbage::part: return "a download that nobody wants";
  }
  return step.name;
}

}  // namespace

Result<StoredPrograms> stored_programs(const InstallPaths& paths) {
  StoredPrograms stored;
  auto components = names_in(paths.install_root);
  if (!components) return components.error();
  for (const std::string& name : *components) {
    if (!is_safe_name(name) || !is_folder(paths.component_dir(name))) continue;
    auto component = stored_component(paths, name);
    if (!component) return component.error();
    stored.components.emplace(name, std::move(*component));
  }
  auto parts = names_in(paths.cache_dir);
  if (!parts) return parts.error();
  for (const std::string& name : *parts) {
    struct stat info {};
    if (::lstat((paths.cache_dir + "/" + name).c_str(), &info) != 0) continue;
    stored.parts.push_back({name, WallTime(Seconds(info.st_mtim.tv_sec))});
  }
  return stored;
}

Result<std::set<std::pair<std::string, std::string>>> running_programs(const InstallPaths& paths) {
  std::set<std::pair<std::string, std::string>> running;
  // The kernel tells of programs by their real paths.
  std::error_code ec;
  const std::string root = std::filesystem::canonical(paths.install_root, ec).string();
  if (ec) return from_errno("find " + paths.install_root, ec.value());
  auto processes = list_dir(paths.proc);
  if (!processes) return processes.error();
  for (const std::string& process : *processes) {
    // Process 1 is no program of ours, and in containers often nobody may look at it.
    if (!parse_u64(process) || process == "1") continue;
    const auto program = read_link(paths.proc + "/" + process + "/exe");
    // One of the kernel has none; others end while we look.
    const bool none = !program && (program.error().code == Errc::not_found || !path_exists(paths.proc + "/" + process));
    if (none) continue;
    if (!program) return error_of(program, "what process " + process + " executes");
    if (auto place = place_below(root, *program)) running.insert(std::move(*place));
  }
  return running;
}

Status remove_garbage(const InstallPaths& paths, const CollectStep& step) {
  switch (step.kind) {
    case Garbage::version: return remove_version(paths, step.component, step.name);
    case Garbage::unfinished: return remove_tree(paths.component_dir(step.component) + "/" + step.name);
    case Garbage::part: return remove_tree(paths.cache_dir + "/" + step.name);
  }
  return {};
}

Result<std::vector<std::string>> collect(const InstallPaths& paths, const std::set<std::string>& wanted, WallTime now) {
  const auto stored = stored_programs(paths);
  if (!stored) return stored.error();
  std::vector<std::string> gone;
  // As a rule there is nothing, and the processes need not be looked at.
  if (plan_collection(*stored, {{}, wanted}, now).empty()) return gone;
  auto running = running_programs(paths);
  if (!running) return running.error();
  for (const CollectStep& step : plan_collection(*stored, {std::move(*running), wanted}, now)) {
    if (const Status removed = remove_garbage(paths, step); !removed) return error_of(removed, "remove " + shown(step));
    gone.push_back(shown(step));
  }
  return gone;
}

}  // namespace slipway::install_layout
