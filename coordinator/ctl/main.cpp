// slipwayctl: a client of the coordinator's API and nothing else.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <thread>

#include "coordinator/ctl/admin_config.hpp"
#include "coordinator/ctl/command_line.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/connection.hpp"

namespace slipway::ctl {

namespace {

bool ask_person(const std::string& question) {
  std::cerr << question << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

WallTime time_now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

int run(int argc, const char* const* argv) {
  const char* from_environment = std::getenv("SLIPWAYCTL_CONFIG");
  auto parsed = parse_command_line(argc, argv, from_environment != nullptr ? from_environment : "");
  if (const auto* usage = std::get_if<Usage>(&parsed)) {
    (usage->code == k_ok ? std::cout : std::cerr) << usage->text;
    return usage->code;
  }
  const auto& line = std::get<CommandLine>(parsed);
  Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1, time_now(), {}, time_now,
                  [](Seconds pause) { std::this_thread::sleep_for(pause); }};
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) console.ask = ask_person;
  if (const auto code = run_local_command(line, console)) return *code;
  const auto cluster = load_admin_cluster(line.config, line.cluster);
  if (!cluster) return fail(console, cluster.error());
  const auto connection = connect(*cluster);
  if (!connection) return fail(console, connection.error());
  const int code = run_command(line, **connection, console);
  std::cout.flush();
  return code;
}

}  // namespace

}  // namespace slipway::ctl

int main(int argc, char** argv) {
  // Keys pass through this process: no core dump, no ptrace by the same user.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
  try {
    return slipway::ctl::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "slipwayctl: unexpected: " << error.what() << "\n";
    return slipway::ctl::k_failed;
  }
}
