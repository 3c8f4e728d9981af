#include "tests/reliability/syscall_sweep.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace slipway::test {

namespace {

namespace fs = std::filesystem;

std::string rule(const Injection& injection, std::size_t when) {
  return "inject=" + injection.call + ":" + injection.effect + ":when=" + std::to_string(when);
}

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

// strace on a running coordinator. `log` gets the calls it changed.
class Tracer {
 public:
  Tracer(Campaign& campaign, const Injection& injection, std::size_t when, const std::string& log)
      : strace_({"strace", "-f", "-qq", "-e", "trace=" + injection.call, "-e", rule(injection, when), "-o", log, "-p", std::to_string(campaign.pid())},
                -1, campaign.files() + "strace-errors") {
    while (campaign.running() && !traced(campaign.pid())) {
      if (!strace_.running()) bench::die("strace cannot trace: see " + campaign.files() + "strace-errors");
      ::usleep(1000);
    }
  }

 private:
  bench::ServerProcess strace_;
};

bool says_injected(const std::string& log) {
  std::ostringstream text;
  text << std::ifstream(log).rdbuf();
  return text.str().find("INJECTED") != std::string::npos;
}

// strace marks errors in its log, a moment late; a deadly signal tells by itself.
bool was_hit(const Injection& injection, bool died, const std::string& log) {
  if (injection.effect == "signal=KILL") return died;
  for (int i = 0; i < 50 && !says_injected(log); ++i) ::usleep(1000);
  return says_injected(log);
}

std::string name_of(const Injection& injection, std::size_t when) {
  return injection.call + " " + injection.effect + " number " + std::to_string(when);
}

void one_of_each(Campaign& campaign) {
  for (const Mix mix : {Mix{100, 0, 0}, Mix{0, 100, 0}, Mix{0, 0, 100}}) {
    if (!campaign.running()) return;
    campaign.set_mix(mix);
    campaign.load(1, -1, 1);
  }
}

// After a fault: what was lost is asked for again, and all of it must come.
bool recover(Campaign& campaign, const std::string& what) {
  const bool clean = campaign.check(what);
  if (!campaign.start()) bench::die(what + ": the coordinator does not start again, see " + campaign.files() + "log");
  campaign.answer_all(1);
  return clean;
}

// A moment for a process that has decided to end.
bool ends(Campaign& campaign) {
  for (int i = 0; i < 30 && campaign.running(); ++i) ::usleep(1000);
  return !campaign.running();
}

}  // namespace

SweepResult sweep_requests(Campaign& campaign, const Injection& injection, std::size_t stride, std::size_t most) {
  SweepResult result;
  const std::string log = campaign.files() + "strace";
  for (std::size_t when = 1; result.points < most; when += stride) {
    bool died = false;
    {
      campaign.new_token(1);
      const Tracer tracer(campaign, injection, when, log);
      one_of_each(campaign);
      died = ends(campaign);
      campaign.kill();
    }
    const bool hit = was_hit(injection, died, log);
    result.clean = recover(campaign, name_of(injection, when)) && result.clean;
    if (!hit) break;
    ++result.points;
    if (died) ++result.deaths;
  }
  return result;
}

SweepResult sweep_start(Campaign& campaign, const Injection& injection, std::size_t stride, std::size_t most) {
  SweepResult result;
  const std::string log = campaign.files() + "strace";
  for (std::size_t when = 1; result.points < most; when += stride) {
    // Something for the next start to recover.
    campaign.new_token(1);
    one_of_each(campaign);
    campaign.kill();
    // -D: the coordinator is our child, strace a process beside it that ends with it.
    std::vector<std::string> command = {"strace", "-D", "-f", "-qq", "-e", "trace=" + injection.call, "-e", rule(injection, when), "-o", log};
    const auto run = campaign.run_command();
    command.insert(command.end(), run.begin(), run.end());
    (void)campaign.start(command);
    const bool died = ends(campaign);
    campaign.kill();
    const bool hit = was_hit(injection, died, log);
    result.clean = recover(campaign, "start, " + name_of(injection, when)) && result.clean;
    if (!hit) break;
    ++result.points;
    if (died) ++result.deaths;
  }
  return result;
}

}  // namespace slipway::test
