#pragma once
// A message bus of the test's own: a dbus-daemon on a socket in a temporary folder.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "common/core/unique_fd.hpp"

namespace slipway::test {

class PrivateBus {
 public:
  PrivateBus() {
    std::string name = (std::filesystem::temp_directory_path() / "slipway-bus-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    // No folders of services: nothing is started on demand.
    std::ofstream(folder_ / "bus.conf")
        << "<busconfig><type>session</type><listen>" << address()
        << "</listen>"
           "<policy context=\"default\"><allow send_destination=\"*\"/>"
           "<allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>\n";
    start();
  }
  ~PrivateBus() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  static bool available() { return ::access("/usr/bin/dbus-daemon", X_OK) == 0; }
  std::string address() const { return "unix:path=" + (folder_ / "bus").string(); }

  // Returns when the bus accepts connections.
  void start() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    UniqueFd read_end(fds[0]);
    UniqueFd write_end(fds[1]);
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    // What it says about limits of this machine is of no interest.
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const std::string config = "--config-file=" + (folder_ / "bus.conf").string();
    std::array<const char*, 6> argv = {"/usr/bin/dbus-daemon", config.c_str(),      "--nofork",
                                       "--nopidfile",          "--print-address=1", nullptr};
    const int error =
        ::posix_spawn(&pid_, argv[0], &actions, nullptr, const_cast<char**>(argv.data()), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    write_end.reset();
    pollfd ready{read_end.get(), POLLIN, 0};
    char byte = 0;
    // The address is printed once the socket listens.
    if (error != 0 || ::poll(&ready, 1, 10'000) != 1 || ::read(read_end.get(), &byte, 1) != 1)
      throw std::runtime_error("dbus-daemon did not start");
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    std::error_code ignored;
    std::filesystem::remove(folder_ / "bus", ignored);
  }

 private:
  std::filesystem::path folder_;
  pid_t pid_ = 0;
};

}  // namespace slipway::test
