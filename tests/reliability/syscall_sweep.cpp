#include "tests/reliability/syscall_sweep.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace slipway::test {

namespace {

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void one_of_each(Campaign& campaign) {
  for (const Mix mix : {Mix{100, 0, 0}, Mix{0, 100, 0}, Mix{0, 0, 100}}) {
    if (!campaign.running()) return;
    campaign.set_mix(mix);
    campaign.load(1, -1, 1);
  }
}

// For the next start.
void leave_something_to_recover(Campaign& campaign) {
  campaign.new_token(1);
  one_of_each(campaign);
  campaign.kill();
}

// After a fault: what was lost is asked for again, and all of it must come.
bool recover(Campaign& campaign, const std::string& what) {
  const bool clean = campaign.check(what);
  if (!campaign.start()) bench::die(what + ": the coordinator does not start again, see " + campaign.files() + "log");
  campaign.answer_all(1);
  return clean;
}

// One fault: true when it was hit. `during` is what is done meanwhile, `after` what is done about it.
struct Fault {
  std::function<void()> during;
  std::function<bool(const std::string& what)> after;
};

bool strike(Campaign& campaign, const Injection& injection, std::size_t when, const Fault& fault, SweepResult& result) {
  const std::string log = campaign.files() + "strace";
  bool died = false;
  {
    const Tracer tracer(campaign, injecting(injection, when), log);
    fault.during();
    died = ends(campaign);
    campaign.kill();
  }
  const bool hit = was_hit(injection, died, log);
  result.clean = fault.after(injection.name(when)) && result.clean;
  result.points += hit ? 1 : 0;
  result.deaths += hit && died ? 1 : 0;
  return hit;
}

// `at` hits the call of that number, and tells whether there was one.
void take_turns(const Turns& turns, const std::function<bool(std::size_t when)>& at) {
  for (const std::size_t when : turns.picked) at(when);
  if (!turns.picked.empty()) return;
  // Some come now and then only: what was seen once may come in vain the first time.
  for (std::size_t when = 1; at(when) || when < turns.expected; ++when) continue;
}

CallCounts calls_during(Campaign& campaign, const Fault& no_fault) {
  const std::string log = campaign.files() + "strace";
  {
    const Tracer tracer(campaign, {"-e", "signal=none"}, log);
    no_fault.during();
    campaign.kill();
  }
  CallCounts counts = count_calls(slurp(log));
  if (!no_fault.after("looking at system calls")) bench::die("it is not clean without any fault");
  return counts;
}

Fault in_requests(Campaign& campaign) {
  return {[&campaign] { one_of_each(campaign); }, [&campaign](const std::string& what) { return recover(campaign, what); }};
}

Fault in_step(Campaign& campaign, Rotation& rotation, const std::string& step) {
  return {[&rotation, step] { rotation.take(step); }, [&campaign, &rotation, step](const std::string& what) {
            const std::string when = step + ", " + what;
            bool clean = rotation.check(when);
            clean = recover(campaign, when) && clean;
            return rotation.goes_on(step, when) && clean;
          }};
}

}  // namespace

Turns all_turns(std::size_t expected) { return {expected, {}}; }

Turns some_turns(std::size_t expected, std::size_t how_many, std::mt19937_64& random) {
  std::set<std::size_t> picked;
  while (picked.size() < std::min(how_many, expected)) picked.insert(1 + random() % expected);
  return {expected, {picked.begin(), picked.end()}};
}

CallCounts calls_of_requests(Campaign& campaign) {
  campaign.new_token(1);
  return calls_during(campaign, in_requests(campaign));
}

CallCounts calls_of_rotation(Campaign& campaign, Rotation& rotation) {
  CallCounts most;
  for (const std::string& step : k_rotation_steps) {
    rotation.come_to(step);
    for (const auto& [name, count] : calls_during(campaign, in_step(campaign, rotation, step))) most[name] = std::max(most[name], count);
  }
  return most;
}

CallCounts calls_of_start(Campaign& campaign) {
  const std::string log = campaign.files() + "strace";
  leave_something_to_recover(campaign);
  (void)campaign.start(traced_from_exec(campaign.run_command(), {"-e", "signal=none"}, log));
  campaign.kill();
  CallCounts counts = count_calls(slurp(log));
  if (!recover(campaign, "looking at the system calls of a start")) bench::die("it is not clean without any fault");
  return counts;
}

SweepResult sweep_requests(Campaign& campaign, const Injection& injection, const Turns& turns) {
  SweepResult result;
  take_turns(turns, [&](std::size_t when) {
    campaign.new_token(1);
    return strike(campaign, injection, when, in_requests(campaign), result);
  });
  return result;
}

SweepResult sweep_rotation(Campaign& campaign, Rotation& rotation, const std::vector<std::string>& steps, const Injection& injection,
                           const Turns& turns) {
  SweepResult result;
  take_turns(turns, [&](std::size_t when) {
    bool hit = false;
    for (const std::string& step : steps) {
      rotation.come_to(step);
      hit = strike(campaign, injection, when, in_step(campaign, rotation, step), result) || hit;
    }
    return hit;
  });
  return result;
}

SweepResult sweep_start(Campaign& campaign, const Injection& injection, const Turns& turns) {
  SweepResult result;
  const std::string log = campaign.files() + "strace";
  take_turns(turns, [&](std::size_t when) {
    leave_something_to_recover(campaign);
    (void)campaign.start(traced_from_exec(campaign.run_command(), injecting(injection, when), log));
    const bool died = ends(campaign);
    campaign.kill();
    const bool hit = was_hit(injection, died, log);
    result.clean = recover(campaign, "start, " + injection.name(when)) && result.clean;
    result.points += hit ? 1 : 0;
    result.deaths += hit && died ? 1 : 0;
    return hit;
  });
  return result;
}

}  // namespace slipway::test
