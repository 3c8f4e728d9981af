#include "agent/host/host_objects.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_look_again{50};
constexpr int k_unmount_tries = 40;

// Files of /proc say that they have no length.
std::string text_of(const std::string& path, std::size_t most = std::size_t{4} << 20) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 8192> block{};
  while (fd && text.size() < most) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Process {
  pid_t parent = 0;
  std::string name;
  std::string program;
};

// "pid (name) state ppid ...": the name may have anything in it.
bool read_stat(const std::string& text, Process& process) {
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 > text.size()) return false;
  const auto words = split(std::string_view(text).substr(close + 2), ' ');
  const auto parent = words.size() > 1 ? parse_u64(words[1]) : std::nullopt;
  if (!parent) return false;
  process.name = text.substr(open + 1, close - open - 1);
  process.parent = static_cast<pid_t>(*parent);
  return words[0] != "Z" && words[0] != "X";
}

std::map<pid_t, Process> all_processes(const std::string& proc) {
  std::map<pid_t, Process> all;
  const auto names = list_dir(proc);
  if (!names) return all;
  for (const std::string& name : *names) {
    const auto pid = parse_u64(name, 1U << 30);
    if (!pid) continue;
    Process process;
    if (!read_stat(text_of(proc + "/" + name + "/stat"), process)) continue;
    if (auto program = read_link(proc + "/" + name + "/exe")) process.program = std::move(*program);
    all[static_cast<pid_t>(*pid)] = std::move(process);
  }
  return all;
}

std::set<pid_t> self_and_above(const std::map<pid_t, Process>& all) {
  std::set<pid_t> out = {0, 1};
  for (pid_t pid = ::getpid(); out.insert(pid).second;) {
    const auto process = all.find(pid);
    if (process == all.end()) break;
    pid = process->second.parent;
  }
  return out;
}

bool started_by(const std::map<pid_t, Process>& all, const std::set<pid_t>& ours, pid_t pid) {
  std::set<pid_t> seen;
  while (seen.insert(pid).second) {
    const auto process = all.find(pid);
    if (process == all.end()) return false;
    pid = process->second.parent;
    if (ours.count(pid) != 0) return true;
  }
  return false;
}

std::string names_of(const std::vector<RunningProgram>& programs) {
  std::vector<std::string> names;
  for (const RunningProgram& program : programs)
    names.push_back(program.name + " (" + std::to_string(program.pid) + ")");
  return join(names, ", ");
}

// \040 and the like.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 3 < text.size();
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void kill_members(const std::string& folder) {
  for (const std::string_view line : split(text_of(folder + "/cgroup.procs"), '\n')) {
    const auto pid = parse_u64(trim(line), 1U << 30);
    if (pid && *pid > 1 && static_cast<pid_t>(*pid) != ::getpid()) ::kill(static_cast<pid_t>(*pid), SIGKILL);
  }
}

Status remove_group(const std::string& folder) {
  const auto names = list_dir(folder);
  if (!names) return names.error().code == Errc::not_found ? Status() : Status(names.error());
  for (const std::string& name : *names) {
    if (!is_folder(folder + "/" + name)) continue;
    if (auto gone = remove_group(folder + "/" + name); !gone) return gone;
  }
  // The processes leave it a moment after they were ended.
  const auto until = SteadyClock::now() + std::chrono::seconds(5);
  for (;;) {
    kill_members(folder);
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY || SteadyClock::now() > until) return from_errno("remove " + folder, errno);
    std::this_thread::sleep_for(k_look_again);
  }
}

}  // namespace

std::vector<RunningProgram> programs_below(const std::string& folder, const std::string& proc) {
  const auto all = all_processes(proc);
  const std::set<pid_t> spared = self_and_above(all);
  std::set<pid_t> ours;
  for (const auto& [pid, process] : all) {
    if (process.program.starts_with(folder + "/") && spared.count(pid) == 0) ours.insert(pid);
  }
  std::vector<RunningProgram> found;
  for (const auto& [pid, process] : all) {
    if (spared.count(pid) != 0) continue;
    const bool own = ours.count(pid) != 0;
    if (own || started_by(all, ours, pid)) found.push_back({pid, process.name, own});
  }
  return found;
}

Status end_programs(const std::string& folder, std::chrono::milliseconds patience, const std::string& proc) {
  std::set<pid_t> asked;
  const auto gentle_until = SteadyClock::now() + patience;
  const auto last = gentle_until + patience;
  for (;;) {
    const std::vector<RunningProgram> left = programs_below(folder, proc);
    if (left.empty()) return {};
    const bool guests =
        std::any_of(left.begin(), left.end(), [](const RunningProgram& program) { return !program.of_ours; });
    const bool gentle = guests && SteadyClock::now() < gentle_until;
    for (const RunningProgram& program : left) {
      // Containers while there is time, the shims that watch them when they have ended.
      if (gentle && (program.of_ours || !asked.insert(program.pid).second)) continue;
      ::kill(program.pid, gentle ? SIGTERM : SIGKILL);
    }
    if (SteadyClock::now() > last) return make_error(Errc::timeout, "they do not end: " + names_of(left));
    std::this_thread::sleep_for(k_look_again);
  }
}

std::vector<MountPoint> mounts_in(std::string_view mountinfo) {
  struct Mount {
    std::string device, root, point;
  };
  std::vector<Mount> all;
  std::vector<MountPoint> points;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() <= 4) continue;
    const Mount mount{std::string(words[2]), unescaped(words[3]), unescaped(words[4])};
    // The one that the point lies in: of those above it the nearest, mounted last.
    const Mount* around = nullptr;
    for (const Mount& other : all) {
      const bool above = other.point == "/" || mount.point.starts_with(other.point + "/");
      if (above && (around == nullptr || other.point.size() >= around->point.size())) around = &other;
    }
    bool itself = false;
    if (around != nullptr && around->device == mount.device) {
      const std::string within = around->point == "/" ? mount.point : mount.point.substr(around->point.size());
      itself = mount.root == (around->root == "/" ? within : around->root + within);
    }
    points.push_back({mount.point, itself});
    all.push_back(mount);
  }
  return points;
}

Result<std::vector<MountPoint>> mount_points(const std::string& mountinfo) {
  const std::string text = text_of(mountinfo, std::size_t{64} << 20);
  if (text.empty()) return make_error(Errc::unavailable, "read " + mountinfo + ": what is mounted cannot be told");
  return mounts_in(text);
}

Status unmount(const std::string& path) {
  for (int tries = 0;; ++tries) {
    if (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) return {};
    if (errno != EBUSY || tries >= k_unmount_tries) return from_errno("unmount " + path, errno);
    std::this_thread::sleep_for(k_look_again);
  }
}

std::vector<std::string> cgroup_folders(const std::string& name, const std::string& root) {
  std::vector<std::string> found;
  std::set<std::pair<dev_t, ino_t>> seen;
  std::vector<std::string> candidates = {"."};
  if (const auto names = list_dir(root)) candidates.insert(candidates.end(), names->begin(), names->end());
  for (const std::string& hierarchy : candidates) {
    const std::string folder = (hierarchy == "." ? root : root + "/" + hierarchy) + "/" + name;
    struct stat info {};
    // Hierarchies go by several names; in the unified one the second level is no hierarchy.
    const bool group = ::stat((folder + "/cgroup.procs").c_str(), &info) == 0;
    const bool nested = hierarchy != "." && ::access((root + "/cgroup.procs").c_str(), F_OK) == 0;
    if (group && !nested && ::stat(folder.c_str(), &info) == 0 &&
        seen.insert({info.st_dev, info.st_ino}).second)
      found.push_back(folder);
  }
  return found;
}

Status remove_cgroup(const std::string& name, const std::string& root) {
  for (const std::string& folder : cgroup_folders(name, root)) {
    if (auto gone = remove_group(folder); !gone) return gone;
  }
  return {};
}

// Built in: it is there too, but without a life of its own.
bool module_loaded(const std::string& name, const std::string& sys) {
  return path_exists(sys + "/module/" + name);
}

Status unload_module(const std::string& name) {
  if (::syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) == 0 || errno == ENOENT) return {};
  if (errno == EWOULDBLOCK || errno == EBUSY)
    return make_error(Errc::conflict, "it is in use now; it goes with the next boot");
  return from_errno("unload " + name, errno);
}

}  // namespace slipway
