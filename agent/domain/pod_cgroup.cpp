#include "agent/domain/pod_cgroup.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

bool is_pod_group(std::string_view name) {
  if (name == "kubepods" || name == "kubepods.slice" || name == "docker") return true;
  if (!name.ends_with(".scope")) return false;
  return name.starts_with("docker-") || name.starts_with("cri-containerd-") || name.starts_with("crio-");
}

}  // namespace

bool in_pod(std::string_view proc_cgroup) {
  // Lines "number:controllers:path" (cgroups(7)).
  for (const std::string_view line : split(proc_cgroup, '\n')) {
    const std::size_t path = line.find('/');
    if (path == std::string_view::npos) continue;
    const auto groups = split(line.substr(path + 1), '/');
    if (std::any_of(groups.begin(), groups.end(), is_pod_group)) return true;
  }
  return false;
}

}  // namespace slipway
