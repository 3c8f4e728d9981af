#include "tests/reliability/planted.hpp"

#include <algorithm>
#include <cstdio>

#include "tests/reliability/campaign.hpp"

namespace slipway::test {

namespace {

constexpr std::size_t k_joins = 12;
constexpr Mix k_only_joins{100, 0, 0};

bool tell(Campaign& campaign, const char* what, const std::string& rule) {
  const auto found = campaign.findings();
  const bool caught = std::any_of(found.begin(), found.end(), [&](const std::string& text) { return text.starts_with(rule + ":"); });
  std::printf("  %-60s %s %s\n", what, rule.c_str(), caught ? "caught" : "NOT CAUGHT");
  for (const std::string& text : found) {
    if (!caught) std::fprintf(stderr, "    %s\n", text.c_str());
  }
  std::fflush(stdout);
  return caught;
}

void serve_joins(Campaign& campaign, const std::vector<std::string>& command = {}) {
  if (!campaign.start(command)) bench::die("the coordinator does not start");
  campaign.new_token(k_joins);
  campaign.set_mix(k_only_joins);
  campaign.load(1, -1, k_joins);
  campaign.kill();
}

// `env` becomes the coordinator: its process stays our child.
std::vector<std::string> on_a_lying_disk(const Campaign& campaign, const std::string& bin, const std::string& mark) {
  std::vector<std::string> command = {"env", "LD_PRELOAD=" + bin + "/libslipway_disk_lie.so", "SLIPWAY_LIE_AFTER=4"};
  if (!mark.empty()) command.push_back("SLIPWAY_LIE_MARK=" + mark);
  const auto run = campaign.run_command();
  command.insert(command.end(), run.begin(), run.end());
  return command;
}

// What a coordinator leaves that answers before its commit, or leaves out the sync before a power cut.
bool answers_before_it_is_durable(const std::string& bin, const std::string& parent, std::uint64_t seed) {
  Campaign campaign(bin, parent, seed);
  serve_joins(campaign, on_a_lying_disk(campaign, bin, ""));
  const bool lost = tell(campaign, "answers before it is durable: a node is lost", "I1");
  return tell(campaign, "answers before it is durable: a certificate is unrecorded", "I5") && lost;
}

bool goes_on_after_a_failed_write(const std::string& bin, const std::string& parent, std::uint64_t seed) {
  Campaign campaign(bin, parent, seed);
  const std::string mark = campaign.files() + "write-failed";
  campaign.watch_for_failure(mark);
  serve_joins(campaign, on_a_lying_disk(campaign, bin, mark));
  return tell(campaign, "goes on after a failed write", "I6");
}

// Two coordinators with one store and nothing between them: what the first acknowledged, the second has never seen.
bool writes_over_a_newer_store(const std::string& bin, const std::string& parent, std::uint64_t seed) {
  Campaign campaign(bin, parent, seed);
  serve_joins(campaign);
  const std::string data = campaign.data_dir();
  bench::run_or_die({"cp", "-a", data, data + ".stale"});
  serve_joins(campaign);
  bench::run_or_die({"rm", "-r", data});
  bench::run_or_die({"mv", data + ".stale", data});
  serve_joins(campaign);
  return tell(campaign, "no fence: a stale coordinator gives blocks out again", "I2");
}

}  // namespace

bool run_planted(const std::string& bin, const std::string& parent, std::uint64_t seed) {
  std::printf("coordinators that do wrong\n");
  bool caught = answers_before_it_is_durable(bin, parent, seed);
  caught = goes_on_after_a_failed_write(bin, parent, seed) && caught;
  return writes_over_a_newer_store(bin, parent, seed) && caught;
}

}  // namespace slipway::test
