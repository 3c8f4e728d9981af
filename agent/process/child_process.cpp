#include "agent/process/child_process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_proc = 256 * 1024;
constexpr int k_exec_tries = 40;
constexpr useconds_t k_exec_round_us = 5'000;
constexpr char k_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// systemd's own exit codes for what goes wrong before the program runs (systemd.exec(5)); describe_exit() knows them.
constexpr int k_exit_chdir = 200;
constexpr int k_exit_exec = 203;
constexpr int k_exit_output = 209;
constexpr int k_exit_user = 217;
constexpr int k_exit_cgroup = 219;

Error system_error(const std::string& what) { return make_error(Errc::internal, what + ": " + std::strerror(errno)); }

struct Limit {
  int resource = 0;
  rlim_t value = 0;
};

// All that the child needs, made before the fork: after it only calls that are safe in a signal handler are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> environment;
  std::vector<char*> envp;
  std::vector<Limit> limits;
  std::vector<UniqueFd> cgroups;
  UniqueFd input;
  UniqueFd output;
  std::array<char, 16> oom_score{};
  std::size_t oom_length = 0;
  std::string directory = "/";
  mode_t umask = 0022;
  bool other_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// KEY=VALUE lines; '#' and ';' begin comments.
Status add_file(const std::string& given, std::vector<std::string>& environment) {
  const bool optional = given.starts_with('-');
  const auto text = read_file(optional ? given.substr(1) : given, k_max_proc);
  if (!text) return optional && text.error().code == Errc::not_found ? Status{} : Status(text.error());
  for (const std::string_view raw : split(*text, '\n')) {
    const std::string_view line = trim(raw);
    const std::size_t sign = line.find('=');
    if (line.empty() || line[0] == '#' || line[0] == ';' || sign == std::string_view::npos) continue;
    environment.push_back(std::string(line.substr(0, sign + 1)) + std::string(unquoted(line.substr(sign + 1))));
  }
  return {};
}

// Later ones win, as systemd has it; the marks are ours alone.
Status make_environment(const ChildPlan& plan, Prepared& out) {
  std::vector<std::string> given = {k_path};
  for (const auto& [name, value] : plan.spec.environment) given.push_back(name + "=" + value);
  for (const std::string& file : plan.spec.environment_files) {
    if (Status added = add_file(file, given); !added) return added;
  }
  given.push_back("INVOCATION_ID=" + plan.invocation);
  if (!plan.notify_socket.empty()) given.push_back("NOTIFY_SOCKET=" + plan.notify_socket);
  for (auto entry = given.begin(); entry != given.end(); ++entry) {
    const std::string name = entry->substr(0, entry->find('=') + 1);
    const bool again = std::any_of(entry + 1, given.end(), [&name](const std::string& later) { return later.starts_with(name); });
    if (!again) out.environment.push_back(*entry);
  }
  for (std::string& entry : out.environment) out.envp.push_back(entry.data());
  out.envp.push_back(nullptr);
  return {};
}

Status find_user(const std::string& name, Prepared& out) {
  if (name.empty() || name == "root") return {};
  std::array<char, 16384> space{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
  if (found == nullptr) return make_error(Errc::not_found, "there is no user " + name);
  out.other_user = true;
  out.uid = entry.pw_uid;
  out.gid = entry.pw_gid;
  int count = 64;
  out.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), entry.pw_gid, out.groups.data(), &count) < 0) return make_error(Errc::exhausted, "user " + name + " is in too many groups");
  out.groups.resize(static_cast<std::size_t>(count));
  return {};
}

void add_limit(Prepared& out, int resource, const std::optional<std::uint64_t>& wanted) {
  if (!wanted) return;
  out.limits.push_back({resource, *wanted == k_limit_infinity ? RLIM_INFINITY : static_cast<rlim_t>(*wanted)});
}

Status open_files(const ChildPlan& plan, Prepared& out) {
  out.input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  out.output.reset(::open(plan.log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!out.input || !out.output) return system_error("opening " + plan.log_path);
  for (const std::string& path : plan.cgroup_files) {
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return system_error("opening " + path);
    out.cgroups.push_back(std::move(file));
  }
  return {};
}

Result<Prepared> prepare(const ChildPlan& plan) {
  Prepared out;
  for (const std::string& word : plan.argv) out.argv.push_back(const_cast<char*>(word.c_str()));
  out.argv.push_back(nullptr);
  if (Status made = make_environment(plan, out); !made) return made.error();
  if (Status found = find_user(plan.spec.user, out); !found) return found.error();
  if (Status opened = open_files(plan, out); !opened) return opened.error();
  add_limit(out, RLIMIT_NOFILE, plan.spec.limit_nofile);
  add_limit(out, RLIMIT_NPROC, plan.spec.limit_nproc);
  add_limit(out, RLIMIT_CORE, plan.spec.limit_core);
  if (plan.spec.oom_score_adjust) {
    const int length = std::snprintf(out.oom_score.data(), out.oom_score.size(), "%d", *plan.spec.oom_score_adjust);
    out.oom_length = static_cast<std::size_t>(length);
  }
  if (!plan.spec.working_directory.empty()) out.directory = plan.spec.working_directory;
  if (!plan.spec.umask.empty()) out.umask = static_cast<mode_t>(std::strtoul(plan.spec.umask.c_str(), nullptr, 8));
  return out;
}

// ---- in the child, between fork and exec --------------------------------------------------------------------------

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) std::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void set_oom_score(const Prepared& with) {
  if (with.oom_length == 0) return;
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  // A refusal (no CAP_SYS_RESOURCE) is passed over, as systemd does.
  if (file >= 0) (void)!::write(file, with.oom_score.data(), with.oom_length);
}

// No more than may be had: without CAP_SYS_RESOURCE (containers) a unit runs with what there is, as under systemd.
void set_limit(const Limit& limit) {
  const auto resource = static_cast<__rlimit_resource>(limit.resource);
  rlimit value{limit.value, limit.value};
  if (::setrlimit(resource, &value) == 0 || ::getrlimit(resource, &value) != 0) return;
  value.rlim_cur = std::min(limit.value, value.rlim_max);
  ::setrlimit(resource, &value);
}

[[noreturn]] void become(const Prepared& with, int gate) {
  char go = 0;
  // Its maker may die first: then nobody knows of this process, and it must not run.
  if (::read(gate, &go, 1) != 1) ::_exit(k_exit_exec);
  ::setsid();
  reset_signals();
  for (const UniqueFd& group : with.cgroups) {
    if (::write(group.get(), "0", 1) != 1) ::_exit(k_exit_cgroup);
  }
  if (::dup2(with.input.get(), 0) < 0 || ::dup2(with.output.get(), 1) < 0 || ::dup2(with.output.get(), 2) < 0) ::_exit(k_exit_output);
  set_oom_score(with);
  for (const Limit& limit : with.limits) set_limit(limit);
  ::umask(with.umask);
  if (with.other_user &&
      (::setgroups(with.groups.size(), with.groups.data()) != 0 || ::setgid(with.gid) != 0 || ::setuid(with.uid) != 0))
    ::_exit(k_exit_user);
  if (::chdir(with.directory.c_str()) != 0) ::_exit(k_exit_chdir);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(with.argv[0], with.argv.data(), with.envp.data());
  ::_exit(k_exit_exec);
}

// ---- /proc --------------------------------------------------------------------------------------------------------

std::string proc_path(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// Files of /proc say they are empty.
std::string proc_text(pid_t pid, const char* name) {
  const UniqueFd file(::open(proc_path(pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part{};
  while (file && text.size() < k_max_proc) {
    const ssize_t n = ::read(file.get(), part.data(), part.size());
    if (n <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  return text;
}

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

ChildEnd end_of(int code, int status) {
  if (code == CLD_EXITED) return {ExitKind::exited, status};
  return {code == CLD_DUMPED ? ExitKind::dumped : ExitKind::killed, status};
}

// struct pidfd_info of linux/pidfd.h, first version; the exit code is there since Linux 6.15, for everybody and once the
// process was collected. Headers of Debian 12 do not have it.
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroup = 0;
  std::array<std::uint32_t, 11> ids{};
  std::int32_t exit_code = 0;
};
constexpr std::uint64_t k_info_exit = 1U << 3U;
constexpr unsigned long k_get_info = _IOWR(0xFF, 11, PidfdInfo);

std::optional<ChildEnd> ask_kernel(int pidfd) {
  PidfdInfo info;
  info.mask = k_info_exit;
  if (::ioctl(pidfd, k_get_info, &info) != 0) return errno == ENOTTY || errno == EINVAL ? std::optional(ChildEnd{}) : std::nullopt;
  if ((info.mask & k_info_exit) == 0) return std::nullopt;
  if (WIFEXITED(info.exit_code)) return ChildEnd{ExitKind::exited, WEXITSTATUS(info.exit_code)};
  return ChildEnd{WCOREDUMP(info.exit_code) ? ExitKind::dumped : ExitKind::killed, WTERMSIG(info.exit_code)};
}

}  // namespace

Result<Child> fork_child(const ChildPlan& plan) {
  const auto prepared = prepare(plan);
  if (!prepared) return prepared.error();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  // Until the child has handlers of its own a signal for it would run ours, and those speak to our event loop.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    // Else it would hold its own gate open when its maker dies.
    ::close(ours.get());
    become(*prepared, theirs.get());
  }
  Child child;
  child.pid = pid;
  child.gate = std::move(ours);
  child.pidfd = open_pidfd(pid);
  child.start_time = start_time_of(proc_text(pid, "stat")).value_or(0);
  if (child.pidfd && child.start_time != 0) return child;
  const Error why = system_error("watching process " + std::to_string(pid));
  child.gate.reset();
  ::waitpid(pid, nullptr, 0);
  return why;
}

Status let_go(const Child& child) {
  const char go = 1;
  if (::send(child.gate.get(), &go, 1, MSG_NOSIGNAL) != 1) return system_error("starting process " + std::to_string(child.pid));
  return {};
}

std::optional<Child> find_child(const RunRecord& record) {
  if (record.pid == 0) return std::nullopt;
  Child child;
  child.pid = record.pid;
  child.start_time = record.start_time;
  // First the descriptor, then the looks: what it names cannot change any more.
  child.pidfd = open_pidfd(record.pid);
  if (!child.pidfd || start_time_of(proc_text(record.pid, "stat")) != record.start_time) return std::nullopt;
  for (int i = 0; i < k_exec_tries; ++i) {
    if (is_recorded(record, proc_text(record.pid, "stat"), proc_text(record.pid, "environ"))) return child;
    // It may not have executed its program yet: until then it has its maker's environment.
    ::usleep(k_exec_round_us);
  }
  return std::nullopt;
}

std::optional<ChildEnd> collect(int pidfd) {
  siginfo_t info{};
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) == 0) {
    if (info.si_pid == 0) return std::nullopt;
    return end_of(info.si_code, info.si_status);
  }
  return ask_kernel(pidfd);
}

void send_signal(int pidfd, int signal) { ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0); }

std::vector<pid_t> marked_processes(const std::string& invocation) {
  std::vector<pid_t> found;
  DIR* dir = ::opendir("/proc");
  if (dir == nullptr) return found;
  const std::string mark = std::string(1, '\0') + "INVOCATION_ID=" + invocation;
  while (const dirent* entry = ::readdir(dir)) {
    const auto pid = parse_u64(entry->d_name, INT32_MAX);
    if (!pid) continue;
    const std::string environment = std::string(1, '\0') + proc_text(static_cast<pid_t>(*pid), "environ");
    if (environment.find(mark) != std::string::npos) found.push_back(static_cast<pid_t>(*pid));
  }
  ::closedir(dir);
  return found;
}

}  // namespace slipway
