#include "coordinator/signer/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/system_clock.hpp"
#include "common/core/text.hpp"
#include "common/log/log.hpp"
#include "coordinator/signer/channel.hpp"
#include "coordinator/signer/seccomp.hpp"
#include "coordinator/signer/server.hpp"

namespace slipway::signer {

namespace {

constexpr const char* k_mode = "signer-process";
constexpr int k_first_fd = 3;
constexpr std::size_t k_max_channels = 257;  // as ioThreads
constexpr Seconds k_patience{20};            // a token may be slow
constexpr Seconds k_change_patience{
    120};  // reading all keys with their passphrase, an import with all its checks
constexpr int k_end_polls = 250;
constexpr useconds_t k_end_poll_us = 20'000;

// Between fork and exec: nothing that allocates.
[[noreturn]] void become_signer(const char* program, std::vector<int>& fds, char** argv) {
  // Out of the way of the numbers that they get.
  const int free_number = k_first_fd + static_cast<int>(fds.size());
  for (int& fd : fds) fd = ::fcntl(fd, F_DUPFD, free_number);
  int next = k_first_fd;
  for (const int fd : fds) {
    if (fd < 0 || ::dup2(fd, next++) < 0) ::_exit(127);
  }
  ::close_range(static_cast<unsigned>(next), ~0U, 0);
  ::execv(program, argv);
  ::_exit(127);
}

std::string said_of(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

std::string name_of(pid_t pid) {
  return "the signer process (pid " + std::to_string(pid) + ")";
}

// Never returns: with one channel all end.
[[noreturn]] void serve_and_end(int fd, SignerServer& server) {
  const Status served = serve(fd, server);
  if (!served) std::fprintf(stderr, "slipway-coordinator: signer: %s\n", served.error().message.c_str());
  ::_exit(served ? 0 : 1);
}

}  // namespace

Result<SignerProcess> SignerProcess::start(std::size_t signatures, std::string program) {
  SignerLink link;
  std::vector<UniqueFd> theirs;
  for (std::size_t i = 0; i < signatures + 1; ++i) {
    auto pair = make_channel(i == 0 ? k_change_patience : k_patience);
    if (!pair) return pair.error();
    theirs.push_back(std::move(pair->signer));
    if (i == 0)
      link.changes = std::move(pair->coordinator);
    else
      link.signatures.push_back(std::move(pair->coordinator));
  }
  std::vector<int> fds;
  for (const UniqueFd& fd : theirs) fds.push_back(fd.get());
  std::string name = "slipway-coordinator", mode = k_mode, count = std::to_string(theirs.size());
  char* argv[] = {name.data(), mode.data(), count.data(), nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) return from_errno("starting the signer process", errno);
  if (pid == 0) become_signer(program.c_str(), fds, argv);
  link.name = name_of(pid);
  return SignerProcess(pid, std::move(link));
}

SignerProcess::SignerProcess(SignerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), link_(std::move(other.link_)) {}

std::optional<std::string> SignerProcess::ended() {
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  return name_of(std::exchange(pid_, -1)) + " ended: " + said_of(status);
}

SignerProcess::~SignerProcess() {
  link_ = {};
  for (int i = 0; i < k_end_polls && pid_ >= 0; ++i) {
    if (!ended()) ::usleep(k_end_poll_us);
  }
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::optional<std::size_t> signer_channels(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != k_mode) return std::nullopt;
  const auto count = parse_u64(argv[2], k_max_channels);
  return count && *count >= 2 ? std::optional<std::size_t>(*count) : std::nullopt;
}

void run_signer(std::size_t channels) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "slipway-signer");
  ::signal(SIGPIPE, SIG_IGN);
  // It signs until the coordinator has said its last word: only that ends it, not a signal to all processes
  // of a service or a terminal.
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, one);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static SystemClock clock;
  static_cast<void>(log::setup("slipway-signer", "info"));
  // In a log that the coordinator cannot leave it out of.
  static SignerServer server({clock, confine_signer, [](const Error& refusal) {
                                log::error(
                                    "asked to sign what is not signed: is the coordinator in strange hands?",
                                    {{"refusal", refusal}});
                              }});
  for (std::size_t i = 1; i < channels; ++i) {
    std::thread([fd = k_first_fd + static_cast<int>(i)] { serve_and_end(fd, server); }).detach();
  }
  serve_and_end(k_first_fd, server);
}

}  // namespace slipway::signer
