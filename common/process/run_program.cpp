#include "common/process/run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "common/core/unique_fd.hpp"

namespace slipway {

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return from_errno("make a pipe", errno);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// The C API for spawning has init and destroy calls; these tie them to a scope.
struct SpawnSettings {
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    // The daemon's blocked and ignored signals are not the program's business.
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t reset;
    ::sigemptyset(&reset);
    ::sigaddset(&reset, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &reset);
    // A process group of its own: what the program starts is killed with it.
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// argv as exec wants it; the strings must outlive the result.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words)
    out.push_back(const_cast<char*>(word.c_str()));  // exec does not write there
  out.push_back(nullptr);
  return out;
}

// A program need not read what it is given; that must not end us.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    // Ours, if it came: of a write it is sent to the thread that wrote.
    const timespec at_once{};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

struct Streams {
  Pipe in, out, err;
};

Result<Streams> make_streams() {
  auto in = make_pipe();
  if (!in) return in.error();
  auto out = make_pipe();
  if (!out) return out.error();
  auto err = make_pipe();
  if (!err) return err.error();
  return Streams{std::move(*in), std::move(*out), std::move(*err)};
}

Result<pid_t> start(const std::vector<std::string>& argv, const Streams& streams) {
  SpawnSettings settings;
  ::posix_spawn_file_actions_adddup2(&settings.actions, streams.in.read.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&settings.actions, streams.out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&settings.actions, streams.err.write.get(), STDERR_FILENO);
  const std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  std::vector<char*> words = pointers(argv);
  std::vector<char*> variables = pointers(environment);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0].c_str(), &settings.actions, &settings.attributes,
                                  words.data(), variables.data());
  if (error != 0) return from_errno("run " + argv[0], error);
  return pid;
}

// Reads what is there; false at the end of the stream.
bool take(const UniqueFd& fd, std::string& into, std::size_t most) {
  std::array<char, 16384> buffer{};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  const auto size = static_cast<std::size_t>(got);
  if (into.size() < most) into.append(buffer.data(), std::min(size, most - into.size()));
  return got > 0;
}

// Writes some of the input and closes when all is written or nobody reads.
void give(UniqueFd& fd, std::string_view& input) {
  const ssize_t put = ::write(fd.get(), input.data(), input.size());
  if (put > 0) input.remove_prefix(static_cast<std::size_t>(put));
  if (input.empty() || (put < 0 && errno != EINTR && errno != EAGAIN)) fd.reset();
}

enum class Ended { by_itself, late, stopped };

// Moves data until the program has closed its ends, `deadline` comes, or `stop` becomes readable.
Ended converse(Streams& streams, std::string_view input, SteadyClock::time_point deadline,
               ProgramOutput& output, std::size_t most, int stop) {
  ::fcntl(streams.in.write.get(), F_SETFL, O_NONBLOCK);
  if (input.empty()) streams.in.write.reset();
  while (streams.out.read || streams.err.read) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return Ended::late;
    // poll() skips negative descriptors.
    std::array<pollfd, 4> fds = {pollfd{streams.out.read.get(), POLLIN, 0},
                                 pollfd{streams.err.read.get(), POLLIN, 0},
                                 pollfd{streams.in.write.get(), POLLOUT, 0}, pollfd{stop, POLLIN, 0}};
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return Ended::late;
    if (ready <= 0) continue;
    if (fds[3].revents != 0) return Ended::stopped;
    if (fds[0].revents != 0 && !take(streams.out.read, output.out, most)) streams.out.read.reset();
    if (fds[1].revents != 0 && !take(streams.err.read, output.err, most)) streams.err.read.reset();
    if (fds[2].revents != 0) give(streams.in.write, input);
  }
  return Ended::by_itself;
}

Result<int> wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return from_errno("wait for a program", errno);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ProgramOutput> run_program(const std::vector<std::string>& argv, const std::string& input,
                                  std::chrono::milliseconds limit, std::size_t most, int stop) {
  if (argv.empty() || !argv[0].starts_with('/'))
    return make_error(Errc::invalid, "program without an absolute path");
  auto streams = make_streams();
  if (!streams) return streams.error();
  const auto pid = start(argv, *streams);
  if (!pid) return pid.error();
  streams->in.read.reset();
  streams->out.write.reset();
  streams->err.write.reset();
  const NoSigpipe no_sigpipe;
  ProgramOutput output;
  const Ended ended = converse(*streams, input, SteadyClock::now() + limit, output, most, stop);
  if (ended != Ended::by_itself) ::kill(-*pid, SIGKILL);
  const auto code = wait_for(*pid);
  if (!code) return code.error();
  if (ended == Ended::stopped) return make_error(Errc::canceled, argv[0] + " was stopped before its end");
  if (ended == Ended::late)
    return make_error(Errc::timeout,
                      argv[0] + " did not end within " + std::to_string(limit.count()) + " ms");
  output.exit_code = *code;
  return output;
}

std::string find_program(const std::vector<std::string>& folders, const std::string& name) {
  for (const std::string& folder : folders) {
    std::string path = folder + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace slipway
