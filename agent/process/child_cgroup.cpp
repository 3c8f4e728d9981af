#include "agent/process/child_cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = std::size_t{1} << 20;
constexpr std::size_t k_max_groups = 4096;  // below one unit: a delegated tree may be large

// Control files cannot be replaced, only written.
bool put(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string text_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char part[4096];
  while (file && text.size() < k_max_file) {
    const ssize_t n = ::read(file.get(), part, sizeof part);
    if (n <= 0) break;
    text.append(part, static_cast<std::size_t>(n));
  }
  return text;
}

bool has_option(std::string_view options, std::string_view wanted) {
  const auto parts = split(options, ',');
  return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

bool has_controller(const std::string& mount, std::string_view controller) {
  const std::string text = text_of(mount + "/cgroup.controllers");
  const auto parts = split(trim(text), ' ');
  return std::find(parts.begin(), parts.end(), controller) != parts.end();
}

void collect_pids(const std::string& dir, std::vector<pid_t>& out) {
  const std::string text = text_of(dir + "/cgroup.procs");
  for (const std::string_view line : split(text, '\n')) {
    if (const auto pid = parse_u64(line, INT32_MAX)) out.push_back(static_cast<pid_t>(*pid));
  }
}

// The group and all below, parents first.
std::vector<std::string> tree_of(const std::string& dir) {
  std::vector<std::string> found = {dir};
  for (std::size_t i = 0; i < found.size() && found.size() < k_max_groups; ++i) {
    std::error_code ec;
    for (std::filesystem::directory_iterator it(found[i], ec), end; !ec && it != end; it.increment(ec)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) found.push_back(it->path().string());
    }
  }
  return found;
}

bool is_v2(const std::string& mount) { return ::access((mount + "/cgroup.controllers").c_str(), F_OK) == 0; }

}  // namespace

CgroupMounts cgroup_mounts(std::string_view mounts) {
  CgroupMounts found;
  std::string unified;
  std::string named;
  for (const std::string_view line : split(mounts, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() < 4 || has_option(fields[3], "ro")) continue;
    const std::string path(fields[1]);
    if (fields[2] == "cgroup2" && unified.empty()) unified = path;
    if (fields[2] != "cgroup") continue;
    if (has_option(fields[3], "name=systemd")) named = path;
    if (has_option(fields[3], "pids")) found.pids = path;
    if (has_option(fields[3], "memory")) found.memory = path;
  }
  if (found.pids.empty()) found.pids = unified;
  if (found.memory.empty()) found.memory = unified;
  found.tracking = !unified.empty() ? unified : !named.empty() ? named : found.pids;
  return found;
}

std::optional<std::uint64_t> counter_in(std::string_view text, std::string_view word) {
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos && line.substr(0, space) == word) return parse_u64(trim(line.substr(space + 1)));
  }
  return std::nullopt;
}

ChildCgroups::ChildCgroups(std::string root, bool make) : root_(std::move(root)), mounts_(cgroup_mounts(text_of("/proc/mounts"))) {
  for (std::string* mount : {&mounts_.tracking, &mounts_.pids, &mounts_.memory}) {
    if (mount->empty()) continue;
    const std::string ours = *mount + "/" + root_;
    if (!make) {
      if (::access(ours.c_str(), F_OK) != 0) mount->clear();
      continue;
    }
    if (::mkdir(ours.c_str(), 0755) != 0 && errno != EEXIST) mount->clear();
    if (mount->empty() || !is_v2(*mount)) continue;
    // One by one: a controller that is not there refuses the whole line.
    for (const char* controller : {"pids", "memory"}) {
      if (!has_controller(*mount, controller)) continue;
      put(*mount + "/cgroup.subtree_control", std::string("+") + controller);
      put(ours + "/cgroup.subtree_control", std::string("+") + controller);
    }
  }
}

std::vector<std::string> ChildCgroups::distinct_mounts() const {
  std::set<std::string> mounts = {mounts_.tracking, mounts_.pids, mounts_.memory};
  mounts.erase("");
  return {mounts.begin(), mounts.end()};
}

std::vector<std::string> ChildCgroups::make(const UnitSpec& spec) const {
  std::vector<std::string> files;
  for (const std::string& mount : distinct_mounts()) {
    const std::string group = dir(mount, spec.name);
    if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) continue;
    files.push_back(group + "/cgroup.procs");
  }
  if (spec.tasks_max && !mounts_.pids.empty()) {
    const std::string limit = *spec.tasks_max == k_limit_infinity ? "max" : std::to_string(*spec.tasks_max);
    put(dir(mounts_.pids, spec.name) + "/pids.max", limit);
  }
  return files;
}

std::vector<pid_t> ChildCgroups::members(const std::string& unit) const {
  std::vector<pid_t> found;
  if (!tracks()) return found;
  for (const std::string& group : tree_of(dir(mounts_.tracking, unit))) collect_pids(group, found);
  return found;
}

std::uint64_t ChildCgroups::oom_kills(const std::string& unit) const {
  if (mounts_.memory.empty()) return 0;
  const std::string group = dir(mounts_.memory, unit);
  const std::string file = is_v2(mounts_.memory) ? "/memory.events" : "/memory.oom_control";
  return counter_in(text_of(group + file), "oom_kill").value_or(0);
}

void ChildCgroups::remove(const std::string& unit) const {
  for (const std::string& mount : distinct_mounts()) {
    std::vector<std::string> groups = tree_of(dir(mount, unit));
    for (auto group = groups.rbegin(); group != groups.rend(); ++group) ::rmdir(group->c_str());
  }
}

}  // namespace slipway
