// What the signer's process, and the coordinator's, may not do any more. Each case in a child: what is given
// up does not come back.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "coordinator/signer/hidden_files.hpp"
#include "coordinator/signer/seccomp.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::signer {
namespace {

using test::get_file;
using test::put_file;
using test::TempDir;

// The number of the first thing that is not as it should be; 0: all are.
template <class Work>
int in_child(Work work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work());
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

bool refused(long result) {
  return result < 0 && errno == EPERM;
}

// For both lists.
int forbidden_to_all() {
  if (!refused(::socket(AF_INET, SOCK_STREAM, 0))) return 1;
  if (!refused(::socket(AF_INET6, SOCK_DGRAM, 0))) return 2;
  if (!refused(::socket(AF_NETLINK, SOCK_RAW, 0))) return 3;
  sockaddr address{};
  if (!refused(::bind(0, &address, sizeof address))) return 4;
  if (!refused(::listen(0, 1))) return 5;
  if (!refused(::accept(0, nullptr, nullptr))) return 6;
  char* const none[] = {nullptr};
  if (!refused(::execve("/bin/true", none, none))) return 7;
  if (!refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) return 8;
  if (!refused(::prctl(PR_SET_DUMPABLE, 1))) return 9;
  if (!refused(::kill(::getppid(), 0))) return 10;
  if (!refused(::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0))) return 11;
  if (!refused(::chdir("/"))) return 12;
  if (!refused(::setuid(0))) return 13;
  if (!refused(::syscall(SYS_bpf, 0, nullptr, 0))) return 14;
  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0 ? 0 : 15;
}

TEST_CASE("the signer makes no socket, starts no program, looks into no process", "[signer][confined]") {
  const TempDir dir;
  put_file(dir / "key", "secret");
  const std::string path = dir / "key";
  CHECK(in_child([&path] {
          if (!confine_signer(false)) return 50;
          if (const int wrong = forbidden_to_all(); wrong != 0) return wrong;
          if (!refused(::socket(AF_UNIX, SOCK_STREAM, 0))) return 20;
          int pair[2];
          if (!refused(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair))) return 21;
          if (!refused(::syscall(SYS_fork))) return 22;
          if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
            return 23;
          void* const page =
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (page == MAP_FAILED || !refused(::mprotect(page, 4096, PROT_READ | PROT_EXEC))) return 24;
          const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
          char text[6];
          return ::read(fd, text, 6) == 6 ? 0 : 25;
        }) == 0);
}

TEST_CASE("a token's module gets local sockets and libraries, no network", "[signer][confined]") {
  CHECK(in_child([] {
          if (!confine_signer(true)) return 50;
          if (const int wrong = forbidden_to_all(); wrong != 0) return wrong;
          if (::socket(AF_UNIX, SOCK_STREAM, 0) < 0) return 20;
          return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                         MAP_FAILED
                     ? 21
                     : 0;
        }) == 0);
}

TEST_CASE("threads that were there before are confined, too", "[signer][confined]") {
  CHECK(in_child([] {
          enum { begins, stands, goes, refuses, allows };
          std::atomic<int> stage = begins;
          // It begins before the confinement and does not end, and there is nothing virtual in between: the sanitizer looks at such
          // objects with calls that are refused.
          std::thread other([&stage] {
            stage = stands;
            stage.notify_all();
            stage.wait(stands);
            stage = refused(::socket(AF_INET, SOCK_STREAM, 0)) ? refuses : allows;
            stage.notify_all();
            for (;;) stage.wait(stage);
          });
          other.detach();
          stage.wait(begins);
          if (!confine_signer(false)) return 50;
          stage = goes;
          stage.notify_all();
          stage.wait(goes);
          return stage == refuses ? 0 : 1;
        }) == 0);
}

bool opens(const std::string& path, int flags = O_RDONLY) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

constexpr int k_no_landlock = 60;

// A data directory in small.
struct Folders {
  TempDir dir;
  Folders() {
    for (const char* name : {"ca", "audit", "spool"}) std::filesystem::create_directory(dir / name);
    for (const char* name : {"ca/key", "state.db", "audit/log", "spool/upload"}) put_file(dir / name, "text");
    std::filesystem::create_symlink(dir / "ca/key", dir / "audit/link");
  }
};

TEST_CASE("hidden files cannot be opened by any name, everything else can", "[signer][confined]") {
  const Folders folders;
  const TempDir& dir = folders.dir;
  const int wrong = in_child([&dir] {
    const auto hidden = hide_files({dir / "ca", dir / "not-there", "/no/such/folder"});
    if (!hidden || !*hidden) return hidden ? k_no_landlock : 50;
    if (opens(dir / "ca/key") || opens(dir / "ca/key", O_WRONLY) || opens(dir / "audit/link")) return 1;
    if (opens("/proc/self/root" + (dir / "ca/key"))) return 2;
    if (::link((dir / "ca/key").c_str(), (dir / "audit/copy").c_str()) == 0) return 3;
    if (::rename((dir / "ca/key").c_str(), (dir / "audit/moved").c_str()) == 0) return 4;
    if (::rename((dir / "ca").c_str(), (dir / "audit/ca").c_str()) == 0) return 5;
    if (!opens(dir / "state.db", O_RDWR) || !opens(dir / "audit/log")) return 6;
    if (!opens(dir / "audit/new", O_RDWR | O_CREAT)) return 7;
    if (::rename((dir / "spool/upload").c_str(), (dir / "audit/upload").c_str()) != 0 ||
        !opens(dir / "audit/upload"))
      return 8;
    if (!opens("/etc/passwd") || !opens("/dev/null", O_WRONLY)) return 9;
    bool in_thread = true;
    std::thread([&] { in_thread = opens(dir / "ca/key"); }).join();
    return in_thread ? 10 : 0;
  });
  if (wrong == k_no_landlock) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  CHECK(wrong == 0);
  CHECK(get_file(dir / "ca/key") == "text");
}

}  // namespace
}  // namespace slipway::signer
