#include "tests/support/traced_calls.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/core/text.hpp"

namespace slipway::test {

namespace {

// Other architectures than x86-64 have some of them under another name only.
const std::vector<TracedCall> k_calls = {
    // Files.
    {"pwrite64", {"EIO", "ENOSPC"}, true},
    // The audit log, keys, our own log; and Asio's eventfd, whose wake-up cannot fail (see epoll_ctl): no errors, which strace cannot give to one
    // file alone. A disk that is full is the part `disk`.
    {"write", {}, true},
    {"writev", {"EIO"}},
    {"fdatasync", {"EIO"}, true},
    {"fsync", {"EIO"}},
    {"ftruncate", {"EIO"}},
    {"truncate", {"EIO"}},
    {"read", {"EIO"}},
    {"pread64", {"EIO"}},
    {"open", {"EMFILE"}},
    {"openat", {"EMFILE"}},
    {"rename", {"ENOSPC"}},
    {"renameat", {"ENOSPC"}},
    {"renameat2", {"ENOSPC"}},
    {"unlink", {"EIO"}},
    {"unlinkat", {"EIO"}},
    {"mkdir", {"ENOSPC"}},
    {"mkdirat", {"ENOSPC"}},
    {"fchmod", {"EIO"}},
    {"getdents64", {"EIO"}},
    {"newfstatat", {"EIO"}},
    {"fstat", {"EIO"}},
    {"statfs", {"EIO"}},
    {"statx", {"EIO"}},
    {"fcntl", {"ENOLCK"}},  // the store's locks
    {"flock", {"ENOLCK"}},
    // Sockets: clients, and the channels to the signer (sendmsg).
    {"sendto", {"ECONNRESET"}, true},
    {"recvfrom", {"ECONNRESET"}, true},
    {"sendmsg", {"EPIPE"}, true},
    {"recvmsg", {"ECONNRESET"}},
    // Not ECONNABORTED, which takes a connection out of the queue: one that is injected leaves it there, and nobody is told of it again.
    {"accept", {"EMFILE"}, true},
    {"accept4", {"EMFILE"}},
    {"getpeername", {"ENOTCONN"}},  // gone since it was accepted
    {"setsockopt", {"ENOBUFS"}},
    {"shutdown", {"ENOTCONN"}},
    {"socket", {"EMFILE"}},
    {"connect", {"ECONNREFUSED"}},
    // Waiting. The kernel knows no failure of a timer or a futex that a correct program could meet: glibc ends the process for one.
    // Asio's wake-up is an epoll_ctl() that cannot fail: to let it fail would be a wake-up lost that is never lost.
    {"epoll_wait", {"EINTR"}},
    {"epoll_pwait", {"EINTR"}},
    {"epoll_ctl", {}, true},
    {"poll", {"EINTR"}},
    {"ppoll", {"EINTR"}},
    {"futex", {}, true},
    {"timerfd_settime", {}},
    {"clock_nanosleep", {}},
    {"restart_syscall", {}},
    {"rt_sigtimedwait", {}},
    // Memory.
    {"mmap", {"ENOMEM"}},
    {"mremap", {"ENOMEM"}},
    {"mprotect", {"ENOMEM"}},
    {"brk", {}},
    {"madvise", {}},
    {"munmap", {}},
    // Nothing of it fails, or nobody can do anything about it: a close() that fails has closed all the same.
    {"close", {}},
    {"ioctl", {}},
    {"lseek", {}},
    {"readlink", {}},
    {"readlinkat", {}},
    {"access", {}},
    {"getpid", {}},
    {"gettid", {}},
    {"geteuid", {}},
    {"getrandom", {}},
    {"getrusage", {}},
    {"sysinfo", {}},
    {"sched_yield", {}},
    {"membarrier", {}},
    {"rt_sigprocmask", {}},
    {"rt_sigreturn", {}},
    {"sigaltstack", {}},
    {"wait4", {}},
    // A thread of OpenSSL or of the C library that comes or goes.
    {"clone3", {"EAGAIN"}},
    {"set_robust_list", {}},
    {"rseq", {}},
    {"exit", {}},
};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// "1234 name(..." gives thread and name. "<... name resumed>" is the second half of one, "---" and "+++" are no calls.
std::pair<std::string, std::string> call_of(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !parse_u64(line.substr(0, space))) return {};
  std::string_view rest = trim(line.substr(space));
  rest = rest.substr(0, std::min(rest.find('('), rest.size()));
  return is_name(rest) ? std::pair(std::string(line.substr(0, space)), std::string(rest)) : std::pair<std::string, std::string>();
}

}  // namespace

const std::vector<TracedCall>& traced_calls() { return k_calls; }

const TracedCall* find_traced_call(std::string_view name) {
  const auto found = std::find_if(k_calls.begin(), k_calls.end(), [name](const TracedCall& call) { return call.name == name; });
  return found == k_calls.end() ? nullptr : &*found;
}

CallCounts count_calls(std::string_view strace_log) {
  std::map<std::pair<std::string, std::string>, std::size_t> by_thread;
  for (const std::string_view line : split(strace_log, '\n')) {
    auto call = call_of(line);
    if (!call.second.empty()) ++by_thread[std::move(call)];
  }
  CallCounts most;
  for (const auto& [call, count] : by_thread) most[call.second] = std::max(most[call.second], count);
  return most;
}

std::vector<std::string> unknown_calls(const CallCounts& counts) {
  std::vector<std::string> found;
  for (const auto& [name, count] : counts) {
    if (find_traced_call(name) == nullptr) found.push_back(name + " is made and nobody knows how it fails: add it to tests/support/traced_calls.cpp");
  }
  return found;
}

std::vector<std::string> missing_calls(const CallCounts& counts) {
  std::vector<std::string> found;
  for (const TracedCall& call : k_calls) {
    if (call.always && counts.count(call.name) == 0) found.push_back(call.name + " is not made: were the right processes traced?");
  }
  return found;
}

}  // namespace slipway::test
