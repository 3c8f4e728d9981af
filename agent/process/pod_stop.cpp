#include "agent/process/pod_stop.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "agent/domain/pod_cgroup.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/systemd/bus.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr std::chrono::milliseconds k_round{50};
constexpr std::chrono::seconds k_last{2};
constexpr Millis k_question{2'000};

std::string cgroup_of(pid_t pid) {
  const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/cgroup").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 16384> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
  return std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

// Zombies have no cgroup any more that would name a pod on version 1; on version 2 they do, and a signal does them no harm.
std::set<pid_t> pod_processes() {
  std::set<pid_t> found;
  DIR* dir = ::opendir("/proc");
  if (dir == nullptr) return found;
  while (const dirent* entry = ::readdir(dir)) {
    const auto pid = parse_u64(entry->d_name, INT32_MAX);
    if (pid && static_cast<pid_t>(*pid) != ::getpid() && in_pod(cgroup_of(static_cast<pid_t>(*pid)))) found.insert(static_cast<pid_t>(*pid));
  }
  ::closedir(dir);
  return found;
}

void signal_all(const std::set<pid_t>& pids, int signal) {
  for (const pid_t pid : pids) ::kill(pid, signal);
}

// What is left of them when the time is over.
std::set<pid_t> wait_for(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    std::set<pid_t> left = pod_processes();
    if (left.empty() || std::chrono::steady_clock::now() >= deadline) return left;
    std::this_thread::sleep_for(k_round);
  }
}

asio::awaitable<void> ask(systemd::Bus* bus, std::optional<Result<systemd::BusValues>>* answer) {
  systemd::BusCall call{"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.DBus.Properties", "Get",
                        {std::string("org.freedesktop.systemd1.Manager"), std::string("SystemState")}};
  asio::awaitable<Result<systemd::BusValues>> asking = bus->call(std::move(call), k_question);
  answer->emplace(co_await std::move(asking));
}

}  // namespace

Result<PodStop> stop_pods(std::chrono::milliseconds grace) {
  // A host that is a container itself: all its processes would look like a pod's.
  if (in_pod(cgroup_of(::getpid()))) return make_error(Errc::denied, "this process is in a pod itself: it cannot tell its host's processes from pods'");
  PodStop done;
  const std::set<pid_t> first = pod_processes();
  done.told = first.size();
  signal_all(first, SIGTERM);
  const std::set<pid_t> stubborn = wait_for(grace);
  done.killed = stubborn.size();
  signal_all(stubborn, SIGKILL);
  const std::set<pid_t> left = wait_for(k_last);
  if (left.empty()) return done;
  return make_error(Errc::timeout, std::to_string(left.size()) + " processes of pods do not end, the first is " + std::to_string(*left.begin()));
}

Result<bool> host_stops() {
  asio::io_context io;
  auto bus = systemd::Bus::open(io.get_executor(), "");
  if (!bus) return bus.error();
  std::optional<Result<systemd::BusValues>> answer;
  asio::co_spawn(io, ask(bus->get(), &answer), [](const std::exception_ptr&) {});
  while (!answer && io.run_one() > 0) {
  }
  if (!answer || !*answer) return answer ? Result<bool>((*answer).error()) : Result<bool>(make_error(Errc::unavailable, "systemd does not answer"));
  return !(*answer)->empty() && (**answer)[0].text() == "stopping";
}

}  // namespace slipway
