// kill -9 of the agent between any two steps converges. The agent's services run in a child process over the real stores and the
// real installer; the child is killed before its k-th effect (a call that changes a file, or a call of a port, before it is carried
// out and after), for every k; a new agent over the same host must end where an uninterrupted one ends.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <regex>

#include "common/core/text.hpp"
#include "common/log/log.hpp"
#include "tests/integration/crash_world.hpp"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace test;

constexpr Stage k_stages[] = {
    {"join", true, 2, 0, 1},
    {"install, configure, start", false, 2, 60, 1},
    {"upgrade", false, 3, 120, 1},
    {"second upgrade", false, 4, 180, 1},
    {"renewal", false, 4, 3000, 2},
    {"move", false, 4, 3000, 2, "10.77.0.77"},
};

// The daemon's, for the life of a case.
class Umask {
 public:
  explicit Umask(mode_t mask) : former_(::umask(mask)) {}
  ~Umask() { ::umask(former_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t former_;
};

// Keys and certificates are new in each run, and with them the number of a pair and the digest in a unit.
std::string plain(const std::string& text) {
  static const std::regex generation("(pki/[A-Za-z]+/)[0-9]+");
  static const std::regex inputs("SLIPWAY_INPUTS=[0-9a-f]+");
  return std::regex_replace(std::regex_replace(text, generation, "$1N"), inputs, "SLIPWAY_INPUTS=N");
}

using Tree = std::map<std::string, std::string>;

// Everything below `root`: type, mode, content.
Tree tree_of(const std::string& root) {
  Tree tree;
  static const std::regex pair_content("agent/pki/[A-Za-z]+/N/.*");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = plain(entry.path().string().substr(root.size() + 1));
    struct stat info {};
    REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o ", static_cast<unsigned>(info.st_mode & 07777));
    std::string what = mode;
    if (entry.is_symlink()) {
      const std::string target = fs::read_symlink(entry.path());
      what = "link " + (entry.path().parent_path().parent_path().filename() == "pki" ? std::string("N") : target);
    } else if (entry.is_regular_file()) {
      what += std::regex_match(path, pair_content) ? "secret" : plain(get_file(entry.path()));
    }
    tree[path] = what;
  }
  return tree;
}

std::vector<std::string> differences(const Tree& found, const Tree& wanted) {
  std::vector<std::string> all;
  for (const auto& [path, what] : found) {
    if (!wanted.contains(path)) {
      all.push_back(path + " is too much");
    } else if (what != wanted.at(path)) {
      all.push_back(path + " is " + what + ", should be " + wanted.at(path));
    }
  }
  for (const auto& [path, what] : wanted) {
    if (!found.contains(path)) all.push_back(path + " is missing");
  }
  return all;
}

// A host at the beginning of a stage.
struct Base {
  std::string files;  // folder
  Memory memory;
};

class CrashSweep {
 public:
  explicit CrashSweep(std::string role) : role_(std::move(role)) {
    fs::create_directories(host());
    fs::create_directory(host() + "/units");
    fs::copy(host(), base_.files = dir_ / "base", fs::copy_options::recursive);
  }

  // An uninterrupted run, and one killed at each of its effects (or every `stride`-th). Returns the number of kills; 0: cannot be
  // done here.
  std::size_t sweep(const Stage& stage, std::size_t stride) {
    const KilledRun whole = first_life(stage, 0);
    if (!whole.possible) {
      WARN("SKIPPED: " << whole.error);
      return 0;
    }
    INFO(role_ << ", " << stage.name << ": " << whole.error);
    REQUIRE(whole.error.empty());
    const auto reference = tree_of(host());
    const Memory after = Memory::from(notes_.read());
    judge_world(stage, after, reference);
    fs::copy(host(), dir_ / stage.name, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    std::size_t kills = 0;
    for (std::size_t at = 1;; at += stride) {
      const KilledRun run = first_life(stage, at);
      INFO(role_ << ", " << stage.name << ": killed at effect " << at << " of " << whole.effects << ", " << run.last << " " << run.error);
      REQUIRE(run.error.empty());
      if (!run.killed) break;
      ++kills;
      next_life(stage, reference);
    }
    CHECK(kills + 3 > whole.effects / stride);
    base_ = {dir_ / stage.name, after};
    return kills;
  }

 private:
  std::string host() const { return dir_ / "host"; }

  KilledRun first_life(const Stage& stage, std::size_t kill_at) {
    fs::remove_all(host());
    {
      const Umask any(0);
      fs::copy(base_.files, host(), fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
    notes_.write(base_.memory.text());
    SharedNotes* notes = &notes_;
    const auto job = [&] {
      CrashWorld world(host(), role_, stage, base_.memory, [notes](const Memory& memory) { notes->write(memory.text()); });
      const Status lived = world.live();
      notes->write(world.memory().text());
      if (!lived) throw std::runtime_error(lived.error().message);
    };
    return run_and_kill(job, host(), kill_at);
  }

  // A new agent, not killed.
  void next_life(const Stage& stage, const Tree& reference) {
    CrashWorld world(host(), role_, stage, Memory::from(notes_.read()), [](const Memory&) {});
    const Status lived = world.live();
    INFO((lived ? std::string() : lived.error().message));
    REQUIRE(lived);
    judge_world(stage, world.memory(), reference);
    if (stage.only_join) return;
    const PassReport again = world.pass();
    INFO("a pass too many: " << join(again.changes, "; ") << " / " << join(again.problems, "; "));
    REQUIRE(again.clean());
    REQUIRE(again.changes.empty());
  }

  void judge_world(const Stage& stage, const Memory& memory, const Tree& reference) {
    REQUIRE(memory.token_uses == 0);
    REQUIRE(memory.agent_keys.size() == stage.identity_keys);
    for (const auto& [name, unit] : memory.units) {
      INFO(name);
      REQUIRE(unit.status.active == UnitActivity::active);
      REQUIRE(unit.status.enabled);
      const std::string text = get_file(host() + "/units/" + name);
      REQUIRE(text.find(unit.environment.substr(0, unit.environment.size() - 1)) != std::string::npos);
    }
    if (!stage.only_join) REQUIRE(memory.units.size() >= 4);
    const std::vector<std::string> found = differences(tree_of(host()), reference);
    INFO(join(found, "\n"));
    CHECK(found.empty());
  }

  TempDir dir_{memory_folder()};
  std::string role_;
  Base base_;
  SharedNotes notes_;
};

// Every life has its say; here only what goes wrong is of interest.
void be_quiet() { REQUIRE(log::setup("slipway-agent", "error")); }

// A child inherits the authorities: made once, before any.
void prepare() {
  be_quiet();
  (void)service_authority();
}

}  // namespace

TEST_CASE("kill -9 of the agent of a node at any effect converges", "[agent][crash]") {
  prepare();
  const Umask daemon(0077);
  CrashSweep node("node");
  for (const Stage& stage : k_stages) {
    const std::size_t kills = node.sweep(stage, 1);
    if (kills == 0) return;
    std::cout << "node, " << stage.name << ": " << kills << " kills\n";
    CHECK(kills > 15);
  }
}

// A master differs by its number of certificates and the service account key: every seventh effect will do.
TEST_CASE("kill -9 of the agent of a master converges", "[agent][crash]") {
  prepare();
  const Umask daemon(0077);
  CrashSweep master("master");
  for (const Stage& stage : {k_stages[0], k_stages[1]}) {
    const std::size_t kills = master.sweep(stage, 7);
    if (kills == 0) return;
    std::cout << "master, " << stage.name << ": " << kills << " kills\n";
    CHECK(kills > 15);
  }
}

}  // namespace slipway
