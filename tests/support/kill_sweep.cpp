#include "tests/support/kill_sweep.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace slipway::test {

struct SharedNotes::Page {
  std::size_t size;
  char text[1];
};

namespace {

// A mark is an unlinkat() of this descriptor number, which fails: nothing else does that.
constexpr int k_mark_fd = INT_MIN;
constexpr int k_failed_exit = 99;

struct Call {
  long number;
  const char* name;
};
// Creations by open are looked at apart; syncs change nothing that a kill could show.
constexpr Call k_calls[] = {
#ifdef SYS_rename
    {SYS_rename, "rename"},   {SYS_unlink, "unlink"},   {SYS_mkdir, "mkdir"}, {SYS_rmdir, "rmdir"},
    {SYS_symlink, "symlink"}, {SYS_chmod, "chmod"},     {SYS_link, "link"},   {SYS_chown, "chown"},
#endif
    {SYS_renameat, "renameat"}, {SYS_renameat2, "renameat2"}, {SYS_unlinkat, "unlinkat"}, {SYS_mkdirat, "mkdirat"},
    {SYS_symlinkat, "symlinkat"}, {SYS_linkat, "linkat"}, {SYS_fchmodat, "fchmodat"}, {SYS_fchownat, "fchownat"},
    {SYS_fchmod, "fchmod"}, {SYS_fchown, "fchown"}, {SYS_write, "write"}, {SYS_pwrite64, "pwrite"},
    {SYS_ftruncate, "ftruncate"}, {SYS_truncate, "truncate"}};

void add_call(std::vector<sock_filter>& program, long number, unsigned action) {
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(number), 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

// open with O_CREAT in argument `index` (the low half of a little-endian 64 bit number).
void add_open(std::vector<sock_filter>& program, long number, std::size_t index) {
  const auto offset = static_cast<__u32>(offsetof(seccomp_data, args) + index * sizeof(__u64));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(number), 0, 4));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

bool stop_at_effects() {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const Call& call : k_calls) add_call(program, call.number, SECCOMP_RET_TRACE);
#ifdef SYS_open
  add_open(program, SYS_open, 1);
#endif
  add_open(program, SYS_openat, 2);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct Outcome {
  SharedNotes mark{4096};
  SharedNotes error{65536};
};
Outcome* outcome = nullptr;

[[noreturn]] void be_child(const std::function<void()>& job) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(k_failed_exit - 1);
  ::raise(SIGSTOP);
  if (!stop_at_effects()) ::_exit(k_failed_exit - 1);
  try {
    job();
  } catch (const std::exception& failure) {
    outcome->error.write(failure.what());
    ::_exit(k_failed_exit);
  }
  ::_exit(0);
}

std::string name_of(long number) {
  for (const Call& call : k_calls) {
    if (call.number == number) return call.name;
  }
  return "create";
}

bool is_below(const std::string& root, pid_t thread, unsigned long fd) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/" + std::to_string(thread) + "/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 && std::string(path.data(), static_cast<std::size_t>(length)).starts_with(root + "/");
}

// The effect at which the thread stands; empty: none.
std::string effect_of(pid_t thread, const std::string& root) {
  struct __ptrace_syscall_info info {};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return "";
  const auto number = static_cast<long>(info.seccomp.nr);
  if ((number == SYS_write || number == SYS_pwrite64) && !is_below(root, thread, info.seccomp.args[0])) return "";
  if (number == SYS_unlinkat && static_cast<int>(info.seccomp.args[0]) == k_mark_fd) return outcome->mark.read();
  return name_of(number);
}

// Follows the child and its threads to the end of the child.
void follow(pid_t child, const std::string& root, std::size_t kill_at, KilledRun& run) {
  for (;;) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0) throw std::runtime_error(std::string("waiting for the child: ") + std::strerror(errno));
    if (!WIFSTOPPED(status)) {
      if (thread != child) continue;
      run.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && kill_at != 0 && run.effects >= kill_at;
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      if (code == k_failed_exit - 1) run.possible = false;
      if (!run.killed && code != 0) run.error = code == k_failed_exit ? outcome->error.read() : "ended with status " + std::to_string(status);
      return;
    }
    int signal = 0;
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
      const std::string effect = effect_of(thread, root);
      if (!effect.empty() && run.effects < (kill_at == 0 ? SIZE_MAX : kill_at)) {
        run.last = effect;
        if (++run.effects == kill_at) ::kill(child, SIGKILL);
      }
    } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
      signal = WSTOPSIG(status);
    }
    (void)::ptrace(PTRACE_CONT, thread, nullptr, signal);
  }
}

}  // namespace

SharedNotes::SharedNotes(std::size_t bytes) : page_(nullptr), bytes_(bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  page_ = static_cast<Page*>(memory);
}
SharedNotes::~SharedNotes() { ::munmap(page_, bytes_); }

void SharedNotes::write(const std::string& text) {
  if (text.size() + sizeof(Page) > bytes_) throw std::length_error("the shared notes are too long");
  std::memcpy(page_->text, text.data(), text.size());
  page_->size = text.size();
}
std::string SharedNotes::read() const { return std::string(page_->text, page_->size); }

void mark_effect(const char* name) {
  if (outcome == nullptr) return;
  outcome->mark.write(name);
  (void)::syscall(SYS_unlinkat, k_mark_fd, "mark", 0);
}

KilledRun run_and_kill(const std::function<void()>& job, const std::string& root, std::size_t kill_at) {
  Outcome here;
  outcome = &here;
  KilledRun run;
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) be_child(job);
  int status = 0;
  constexpr unsigned long k_options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE;
  const bool stopped = ::waitpid(child, &status, 0) == child && WIFSTOPPED(status);
  if (stopped && ::ptrace(PTRACE_SETOPTIONS, child, nullptr, k_options) == 0 && ::ptrace(PTRACE_CONT, child, nullptr, 0) == 0) {
    follow(child, root, kill_at, run);
  } else {
    run.possible = false;
    if (stopped) ::kill(child, SIGKILL), ::waitpid(child, &status, 0);
  }
  if (!run.possible) run.error = "ptrace or seccomp is not allowed here";
  outcome = nullptr;
  return run;
}

}  // namespace slipway::test
