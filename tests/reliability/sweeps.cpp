#include "tests/reliability/sweeps.hpp"

#include <cstdio>
#include <functional>
#include <random>

#include "tests/reliability/syscall_sweep.hpp"

namespace slipway::test {

namespace {

constexpr std::size_t k_sample = 1;  // of a kind, in the short form
constexpr std::size_t k_start_sample = 3;
constexpr std::size_t k_nodes = 4;
constexpr const char* k_kill = "signal=KILL";

bool tell(const char* during, const Injection& injection, const SweepResult& result) {
  std::printf("  %-8s %-15s %-18s %4zu calls hit, %4zu times the coordinator ended%s\n", during, injection.call.c_str(), injection.effect.c_str(),
              result.points, result.deaths, result.clean ? "" : ": NOT CLEAN");
  std::fflush(stdout);
  return result.clean;
}

bool none(const std::vector<std::string>& findings) {
  for (const std::string& text : findings) std::fprintf(stderr, "%s\n", text.c_str());
  return findings.empty();
}

// To kill at each call that is made, and to fail those that can.
std::vector<Injection> injections_for(const CallCounts& counts) {
  std::vector<Injection> all;
  for (const auto& [name, count] : counts) {
    all.push_back({name, k_kill});
    const TracedCall* call = find_traced_call(name);
    for (const std::string& error : call == nullptr ? std::vector<std::string>() : call->errors) all.push_back({name, "error=" + error});
  }
  return all;
}

class Sweeps {
 public:
  explicit Sweeps(const SweepOptions& options) : options_(options), random_(options.seed) {}

  bool run() {
    const bool clean = of_a_cluster([this](Campaign& campaign) { return in_requests(campaign); });
    // Its own: each join that was cut off in the requests has left a node, and here all nodes take part in each step.
    return of_a_cluster([this](Campaign& campaign) {
      const bool rotated = in_rotation(campaign);
      return at_start(campaign) && rotated;
    }) && clean;
  }

 private:
  Turns turns(std::size_t expected, std::size_t sample) {
    return options_.all ? all_turns(expected) : some_turns(expected, sample, random_);
  }

  bool of_a_cluster(const std::function<bool(Campaign&)>& sweep) {
    Campaign campaign(options_.bin, options_.parent, options_.seed);
    if (!campaign.start()) bench::die("the coordinator does not start");
    campaign.new_token(k_nodes);
    campaign.set_mix({100, 0, 0});
    campaign.load(1, -1, k_nodes);
    if (sweep(campaign)) return true;
    campaign.keep_files();
    std::fprintf(stderr, "the ledger, the store and the log are in %s\n", campaign.files().c_str());
    return false;
  }

  bool in_requests(Campaign& campaign) {
    const CallCounts counts = calls_of_requests(campaign);
    bool clean = none(unknown_calls(counts));
    clean = none(missing_calls(counts)) && clean;
    std::size_t hit = 0;
    const std::vector<Injection> injections = injections_for(counts);
    for (const Injection& injection : injections) {
      const SweepResult result = sweep_requests(campaign, injection, turns(counts.at(injection.call), k_sample));
      clean = tell("requests", injection, result) && clean;
      hit += result.points > 0 ? 1 : 0;
    }
    // Some calls come now and then only, but a sweep that misses most proves nothing.
    if (hit * 2 > injections.size()) return clean;
    std::printf("  only %zu of %zu kinds were hit: this proves nothing\n", hit, injections.size());
    return false;
  }

  bool in_rotation(Campaign& campaign) {
    Rotation rotation(campaign);
    const CallCounts counts = calls_of_rotation(campaign, rotation);
    bool clean = none(unknown_calls(counts));
    std::size_t next = 0;
    for (const Injection& injection : injections_for(counts)) {
      // The short form takes the steps in turn.
      std::vector<std::string> steps = {k_rotation_steps[next++ % k_rotation_steps.size()]};
      if (options_.all) steps = {k_rotation_steps.begin(), k_rotation_steps.end()};
      const SweepResult result = sweep_rotation(campaign, rotation, steps, injection, turns(counts.at(injection.call), k_sample));
      clean = tell("rotation", injection, result) && clean;
    }
    // In the middle of one, so that the starts have two authorities to read.
    rotation.come_to("retire");
    return clean;
  }

  // Not every call of the dynamic linker is of interest: those that read and write the store, the keys and the channels.
  bool at_start(Campaign& campaign) {
    const std::vector<Injection> injections = {{"pwrite64", k_kill},       {"fdatasync", k_kill},      {"openat", k_kill},       {"pread64", k_kill},
                                               {"write", k_kill},          {"sendmsg", k_kill},        {"recvfrom", k_kill},     {"pwrite64", "error=EIO"},
                                               {"fdatasync", "error=EIO"}, {"fsync", "error=EIO"},     {"ftruncate", "error=EIO"}, {"write", "error=EIO"},
                                               {"sendmsg", "error=EPIPE"}};
    const CallCounts counts = calls_of_start(campaign);
    bool clean = true;
    for (const Injection& injection : injections) {
      const auto count = counts.find(injection.call);
      if (count == counts.end()) continue;  // not every start truncates a file
      clean = tell("start", injection, sweep_start(campaign, injection, turns(count->second, k_start_sample))) && clean;
    }
    return clean;
  }

  SweepOptions options_;
  std::mt19937_64 random_;
};

}  // namespace

bool run_sweeps(const SweepOptions& options) {
  std::printf("system calls fail or kill, the coordinator's and its signer's (%s)\n", options.all ? "each" : "some of each kind");
  return Sweeps(options).run();
}

}  // namespace slipway::test
