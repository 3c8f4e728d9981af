#include "server_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bench {

namespace {

std::vector<char*> raw(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "bench: %s\n", text.c_str());
  std::exit(1);
}

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What stands behind the name in /proc/PID/stat: state, parent, ... Nothing for a process that is gone.
std::istringstream stat_fields(pid_t pid) {
  const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  return std::istringstream(name_end == std::string::npos ? std::string() : stat.substr(name_end + 1));
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t candidate = std::atoi(entry.path().filename().c_str());
    std::string state;
    pid_t parent = 0;
    if (candidate > 0 && stat_fields(candidate) >> state >> parent && parent == pid) children.push_back(candidate);
  }
  return children;
}

void add_usage(Usage& usage, pid_t pid) {
  std::istringstream fields = stat_fields(pid);
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  usage.cpu_seconds += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::istringstream status(slurp("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) usage.rss_kib += std::atol(line.c_str() + 6);
  }
}

}  // namespace

void pin_this_thread(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) die("cannot pin to core " + std::to_string(cpu));
}

ServerProcess::ServerProcess(const std::vector<std::string>& argv, int cpu, const std::string& log_path) {
  pid_ = ::fork();
  if (pid_ == 0) {
    // A benchmark that gives up must not leave its server behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_this_thread(cpu);
    const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, 1);
    ::dup2(log, 2);
    const auto words = raw(argv);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  if (pid_ < 0) die("fork failed");
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

bool ServerProcess::running() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

void ServerProcess::ask_to_end() {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

void ServerProcess::kill_now() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool ServerProcess::wait_until_listening(const std::string& address, int port) {
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, address.c_str(), &there.sin_addr) != 1) die("no address: " + address);
  while (running()) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&there), sizeof there) == 0;
    ::close(fd);
    if (connected) return true;
    ::usleep(2000);
  }
  return false;
}

std::vector<pid_t> ServerProcess::family() const {
  std::vector<pid_t> all = children_of(pid_);
  all.insert(all.begin(), pid_);
  return all;
}

Usage ServerProcess::usage() const {
  Usage usage;
  for (const pid_t pid : family()) add_usage(usage, pid);
  return usage;
}

std::string run_or_die(const std::vector<std::string>& argv) {
  int fds[2];
  if (::pipe(fds) != 0) die("pipe failed");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(fds[1], 1);
    ::close(fds[0]);
    const auto words = raw(argv);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  ::close(fds[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(fds[0], buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(count));
  ::close(fds[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die(argv[0] + " " + (argv.size() > 1 ? argv[1] : "") + " failed");
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

bool succeeds(const std::vector<std::string>& argv) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
    const auto words = raw(argv);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void enter_own_network(const std::string& address) {
  if (::unshare(CLONE_NEWNET) != 0) die("a network name space of its own needs root");
  run_or_die({"ip", "link", "set", "lo", "up"});
  run_or_die({"ip", "address", "add", address + "/32", "dev", "lo"});
  // RFC 6598 space: every address of it is ours here, so that each simulated node can have one.
  run_or_die({"ip", "route", "add", "local", "100.64.0.0/10", "dev", "lo"});
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    die("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) die("no limit of descriptors");
  // More than the hard limit needs a privilege that containers withhold.
  const rlimit more{std::max<rlim_t>(limit.rlim_max, 65'536), std::max<rlim_t>(limit.rlim_max, 65'536)};
  if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) die("cannot raise the limit of descriptors");
}

double load_average() {
  double loads[1] = {0};
  ::getloadavg(loads, 1);
  return loads[0];
}

}  // namespace bench
