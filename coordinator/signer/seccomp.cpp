#include "coordinator/signer/seccomp.hpp"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace slipway::signer {

namespace {

// clang-format off
// Channels; files of the key folder and of OpenSSL's settings; memory; time; what glibc's threads and heap do.
constexpr int k_narrow[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(close),
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(ftruncate), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(dup), SCMP_SYS(umask),
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu), SCMP_SYS(sysinfo), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid),
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(exit),
    SCMP_SYS(exit_group)};
// A PKCS#11 module is a library with threads, devices and settings of its own.
constexpr int k_for_tokens[] = {
    SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(connect), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(ioctl), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(mkdir), SCMP_SYS(rmdir),
    SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(truncate), SCMP_SYS(link), SCMP_SYS(getcwd), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
    SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getpgrp)};
#if defined(__SANITIZE_ADDRESS__)
// The sanitizer of undefined behaviour asks through a pipe whether the memory of an object is there, and takes a refusal for a no.
constexpr std::array k_for_sanitizers = {SCMP_SYS(pipe), SCMP_SYS(pipe2)};
#else
constexpr std::array<int, 0> k_for_sanitizers = {};
#endif
// clang-format on

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

Error failed(const char* doing, int code) {
  return from_errno(std::string("the filter of system calls: ") + doing, -code);
}

Status allow(void* context, int call) {
  const int code = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
  return code == 0 ? Status() : failed("allowing a call", code);
}

// Memory that is not executable.
Status allow_data_pages(void* context) {
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    const int code =
        seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (code != 0) return failed("allowing memory", code);
  }
  return {};
}

Status fill(void* context, bool tokens) {
  for (const int call : k_narrow) {
    if (const auto allowed = allow(context, call); !allowed) return allowed;
  }
  for (const int call : k_for_sanitizers) {
    if (const auto allowed = allow(context, call); !allowed) return allowed;
  }
  if (!tokens) return allow_data_pages(context);
  for (const int call : k_for_tokens) {
    if (const auto allowed = allow(context, call); !allowed) return allowed;
  }
  const int code =
      seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
  return code == 0 ? Status() : failed("allowing local sockets", code);
}

Status check_holds() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 && errno == EPERM) return {};
  if (fd >= 0) ::close(fd);
  return make_error(Errc::internal,
                    "the filter of system calls does not hold: a network socket could be made");
}

}  // namespace

Status confine_signer(bool tokens) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return from_errno("giving up new privileges", errno);
  const Context context(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (context == nullptr) return make_error(Errc::internal, "the filter of system calls cannot be made");
  if (const auto filled = fill(context.get(), tokens); !filled) return filled;
  // All threads, also those that wait for their first request.
  if (const int code = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_TSYNC, 1); code != 0)
    return failed("for all threads", code);
  if (const int code = seccomp_load(context.get()); code != 0)
    return failed("loading it (does the kernel have CONFIG_SECCOMP_FILTER?)", code);
  return check_holds();
}

}  // namespace slipway::signer
