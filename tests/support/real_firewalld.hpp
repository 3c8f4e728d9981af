#pragma once
// A firewalld of the test's own: on a private bus, with settings in a temporary folder, in the calling thread's network
// namespace.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "agent/net/firewalld.hpp"
#include "common/systemd/bus.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

class RealFirewalld {
 public:
  static bool available() { return ::access("/usr/sbin/firewalld", X_OK) == 0 && PrivateBus::available(); }

  // Needs root.
  explicit RealFirewalld(IoTest& io) : io_(io) {
    for (const char* folder : {"/zones", "/policies", "/services", "/icmptypes", "/helpers", "/ipsets"})
      std::filesystem::create_directories(settings_.path() + folder);
    put_file(settings_ / "firewalld.conf", "DefaultZone=public\nFirewallBackend=nftables\nLogDenied=off\n");
    start();
  }
  ~RealFirewalld() { stop(); }
  RealFirewalld(const RealFirewalld&) = delete;
  RealFirewalld& operator=(const RealFirewalld&) = delete;

  FirewalldOptions options() const { return {.bus_address = bus_.address()}; }
  const std::string& settings() const { return settings_.path(); }

  // Returns when it answers questions.
  void start() {
    auto bus = systemd::Bus::open(io_.executor(), bus_.address());
    if (!bus) throw std::runtime_error(bus.error().message);
    bool there = false;
    const systemd::BusMatch match{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged"};
    const auto matched = (*bus)->on_signal(match, [&there](const systemd::BusValues& values) {
      there = there || (values.size() == 3 && values[0].text() == "org.fedoraproject.FirewallD1" && !values[2].text().empty());
    });
    if (!matched) throw std::runtime_error(matched.error().message);
    // After its answer the subscription is in force.
    const systemd::BusCall ask{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", {}};
    if (!io_.run((*bus)->call(ask, Millis(10'000)))) throw std::runtime_error("the private bus does not answer");
    spawn();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!there && std::chrono::steady_clock::now() < until) io_.poll_one();
    if (!there) throw std::runtime_error("firewalld did not start");
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  void spawn() {
    const std::string settings = "--system-config=" + settings_.path(), log = "--log-file=" + settings_.path() + "/log";
    const std::string address = "DBUS_SYSTEM_BUS_ADDRESS=" + bus_.address();
    std::array<const char*, 6> argv = {"/usr/sbin/firewalld", "--nofork", "--nopid", settings.c_str(), log.c_str(), nullptr};
    std::array<const char*, 3> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", address.c_str(), nullptr};
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
      ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, const_cast<char**>(argv.data()),
                                    const_cast<char**>(environment.data()));
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("firewalld cannot be run");
  }

  IoTest& io_;
  PrivateBus bus_;
  TempDir settings_;
  pid_t pid_ = 0;
};

}  // namespace slipway::test
