// A real coordinator is killed in the middle of joins, renewals and removals, its system calls fail in turn, its disk is full: what its
// clients were told must be what its store says afterwards. docs/reliability.md tells the rules and how to run the long form.
// Needs root: it makes name spaces of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/core/text.hpp"
#include "tests/reliability/campaign.hpp"
#include "tests/reliability/planted.hpp"
#include "tests/reliability/sweeps.hpp"

namespace slipway::test {
namespace {

constexpr int k_skipped = 77;  // as CTest is told
constexpr std::size_t k_clients = 8;
constexpr std::size_t k_kills_a_campaign = 50;  // then a new cluster: a store that grows makes every check dearer

struct Options {
  std::string bin;
  std::string parent = "/var/tmp";
  std::size_t kills = 200;
  bool every_call = false;
  std::uint64_t seed = 1;
  std::string only;  // planted, kills, sweep or disk
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--dir") options.parent = value;
    else if (name == "--only") options.only = value;
    else if (name == "--kills") options.kills = parse_u64(value).value_or(0);
    else if (name == "--calls") options.every_call = value == "every";
    else if (name == "--seed") options.seed = parse_u64(value).value_or(1);
    else bench::die("unknown option " + name);
  }
  if (options.bin.empty()) bench::die("--bin names the folder of the programs");
  return options;
}

bool judged(Campaign& campaign, bool clean) {
  if (clean) return true;
  campaign.keep_files();
  std::fprintf(stderr, "the ledger, the store and the log are in %s\n", campaign.files().c_str());
  return false;
}

// Kills at random moments. The end of each campaign also shows that its judge sees.
bool one_campaign(const Options& options, std::uint64_t seed, std::size_t kills) {
  Campaign campaign(options.bin, options.parent, seed);
  std::mt19937_64 random(seed);
  std::size_t unanswered = 0;
  bool clean = true;
  for (std::size_t kill = 0; kill < kills && clean; ++kill) {
    if (!campaign.start()) bench::die("the coordinator does not start");
    campaign.answer_all(k_clients);
    campaign.new_token(12);
    campaign.load(k_clients, static_cast<int>(random() % 60));
    campaign.kill();
    unanswered += campaign.pending();
    clean = campaign.check("kill " + std::to_string(kill));
  }
  if (clean) {
    if (!campaign.start()) bench::die("the coordinator does not start");
    campaign.answer_all(k_clients);
    campaign.kill();
    clean = campaign.check("the end") && campaign.check_the_checker();
  }
  std::printf("  %zu kills, seed %llu: %zu requests answered, %zu joins under way when killed%s\n", kills, static_cast<unsigned long long>(seed),
              campaign.answered(), unanswered, clean ? "" : ": NOT CLEAN");
  if (unanswered == 0) std::printf("  no kill met a request: this proves nothing\n");
  return judged(campaign, clean) && unanswered > 0;
}

bool run_kills(const Options& options) {
  std::printf("kill -9 at random moments, %zu times\n", options.kills);
  bool clean = true;
  for (std::size_t done = 0; done < options.kills; done += k_kills_a_campaign) {
    clean = one_campaign(options, options.seed + done, std::min(k_kills_a_campaign, options.kills - done)) && clean;
    std::fflush(stdout);
  }
  return clean;
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) bench::die("no file system at " + path);
  return info.f_bavail * info.f_frsize;
}

// In a folder of its own: the coordinator's Landlock rules hold each file beside the hidden keys, and are let go of some time after its end, so
// that room would come back late.
std::string ballast_of(const std::string& path) { return path + "/ballast/file"; }

void fill_but(const std::string& path, std::uint64_t margin) {
  const int fd = ::open(ballast_of(path).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::uint64_t free = free_bytes(path);
  if (free > margin && ::posix_fallocate(fd, 0, static_cast<off_t>(free - margin)) != 0) bench::die("the ballast does not fit");
  ::close(fd);
}

void move_to_small_disk(const Campaign& campaign) {
  const std::string data = campaign.data_dir();
  bench::run_or_die({"cp", "-a", data, data + ".was"});
  bench::run_or_die({"mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", data});
  bench::run_or_die({"cp", "-a", data + ".was/.", data});
  bench::run_or_die({"mkdir", data + "/ballast"});
}

// The disk fills while nodes join; it is still full at the next start; then there is room again.
bool full_once(Campaign& campaign, std::uint64_t margin) {
  const std::string what = std::to_string(margin / 1024) + " KiB left";
  if (!campaign.start()) bench::die("the coordinator does not start");
  campaign.answer_all(4);
  campaign.new_token(1000);
  campaign.set_mix({80, 10, 10});
  fill_but(campaign.data_dir(), margin);
  const std::size_t before = campaign.answered();
  campaign.load(4, -1, 1000);
  const std::size_t answered = campaign.answered() - before;
  campaign.kill();
  bool clean = campaign.check("disk full, " + what);
  const bool starts_full = campaign.start();
  campaign.kill();
  clean = campaign.check("start on a full disk, " + what) && clean;
  ::unlink(ballast_of(campaign.data_dir()).c_str());
  if (!campaign.start()) bench::die("the coordinator does not start when there is room again");
  campaign.answer_all(4);
  campaign.kill();
  clean = campaign.check("room again, " + what) && clean;
  std::printf("  %-12s %4zu answered before the disk was full, %s on the full disk%s\n", what.c_str(), answered,
              starts_full ? "starts" : "does not start", clean ? "" : ": NOT CLEAN");
  return clean && answered < 1000;
}

bool run_disk_full(const Options& options) {
  std::printf("disk full\n");
  Campaign campaign(options.bin, options.parent, options.seed);
  move_to_small_disk(campaign);
  bool clean = true;
  for (const std::uint64_t margin : {0, 16, 64, 256, 1024}) clean = full_once(campaign, margin * 1024) && clean;
  bench::run_or_die({"umount", "-l", campaign.data_dir()});
  return judged(campaign, clean);
}

int run(const Options& options) {
  if (::geteuid() != 0) {
    std::printf("skipped: needs root\n");
    return k_skipped;
  }
  bench::enter_own_network(bench::k_address);
  if (::unshare(CLONE_NEWNS) != 0) bench::die("no mount name space");
  bench::run_or_die({"mount", "--make-rprivate", "/"});
  bool clean = true;
  if (options.only.empty() || options.only == "planted") clean = run_planted(options.bin, options.parent, options.seed) && clean;
  if (options.only.empty() || options.only == "kills") clean = run_kills(options) && clean;
  if (options.only.empty() || options.only == "sweep") clean = run_sweeps({options.bin, options.parent, options.seed, options.every_call}) && clean;
  if (options.only.empty() || options.only == "disk") clean = run_disk_full(options) && clean;
  std::printf(clean ? "clean\n" : "NOT CLEAN\n");
  return clean ? 0 : 1;
}

}  // namespace
}  // namespace slipway::test

int main(int argc, char** argv) { return slipway::test::run(slipway::test::parse(argc, argv)); }
