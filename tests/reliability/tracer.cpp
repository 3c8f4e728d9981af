#include "tests/reliability/tracer.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace slipway::test {

namespace {

namespace fs = std::filesystem;

bool traced(pid_t pid) {
  std::error_code ec;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", ec)) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line == "TracerPid:\t0") return false;
    }
  }
  return !ec;
}

std::vector<std::string> attaching(const std::vector<std::string>& arguments, const std::string& log, const std::vector<pid_t>& pids) {
  std::vector<std::string> command = {"strace", "-f", "-qq", "-o", log};
  command.insert(command.end(), arguments.begin(), arguments.end());
  for (const pid_t pid : pids) {
    command.push_back("-p");
    command.push_back(std::to_string(pid));
  }
  return command;
}

bool says_injected(const std::string& log) {
  std::ostringstream text;
  text << std::ifstream(log).rdbuf();
  return text.str().find("INJECTED") != std::string::npos;
}

}  // namespace

std::vector<std::string> injecting(const Injection& injection, std::size_t when) {
  return {"-e", "trace=" + injection.call, "-e", "inject=" + injection.call + ":" + injection.effect + ":when=" + std::to_string(when)};
}

Tracer::Tracer(Campaign& campaign, const std::vector<std::string>& arguments, const std::string& log)
    : strace_(attaching(arguments, log, campaign.pids()), -1, campaign.files() + "strace-errors") {
  // The first threads that are traced may meet their end before the last one is.
  const auto all_traced = [pids = campaign.pids()] { return std::all_of(pids.begin(), pids.end(), traced); };
  while (campaign.running() && !all_traced()) {
    if (!strace_.running()) bench::die("strace cannot trace: see " + campaign.files() + "strace-errors");
    ::usleep(1000);
  }
}

// strace ends with what it traces. Of a process with threads that was killed it may miss the end (seen with strace 6.1 and the signer), and
// then it hears no signal either: what it traced is let go by the kernel when it is killed.
Tracer::~Tracer() {
  constexpr int k_millis = 2000;
  strace_.ask_to_end();
  for (int i = 0; i < k_millis && strace_.running(); ++i) ::usleep(1000);
  strace_.kill_now();
}

std::vector<std::string> traced_from_exec(const std::vector<std::string>& command, const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<std::string> all = {"strace", "-D", "-f", "-qq", "-o", log};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

bool was_hit(const Injection& injection, bool died, const std::string& log) {
  if (injection.kills()) return died;
  for (int i = 0; i < 50 && !says_injected(log); ++i) ::usleep(1000);
  return says_injected(log);
}

bool ends(Campaign& campaign) {
  const int millis = campaign.down() ? 1000 : 30;
  for (int i = 0; i < millis && campaign.running(); ++i) ::usleep(1000);
  return !campaign.running();
}

}  // namespace slipway::test
