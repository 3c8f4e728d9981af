// Install with the agent's own services, reset, compare: nothing of ours is left and nothing of anybody else's is missing, also on a host
// that was half installed, and when the reset itself is killed.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>

#include "agent/host/file_undo.hpp"
#include "agent/reset_command.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "agent/store/file_node_store.hpp"
#include "agent/store/file_trust_store.hpp"
#include "common/core/text.hpp"
#include "common/files/dir_lock.hpp"
#include "common/log/log.hpp"
#include "tests/integration/crash_world.hpp"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace test;

constexpr Stage k_join{"join", true, 2, 0, 1};
constexpr Stage k_install{"install", false, 2, 60, 1};
constexpr Stage k_upgrade{"upgrade", false, 3, 120, 1};
constexpr Stage k_join_one_folder{"join", true, 2, 0, 1, "10.77.0.13", true};
constexpr Stage k_one_folder{"one folder of CNI programs", false, 2, 60, 1, "10.77.0.13", true};

using Tree = std::map<std::string, std::string>;

Tree tree_of(const std::string& root) {
  Tree tree;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    struct stat info {};
    REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
    std::string what = std::to_string(info.st_mode) + " " + std::to_string(info.st_uid);
    if (entry.is_symlink()) what += " -> " + fs::read_symlink(entry.path()).string();
    if (entry.is_regular_file()) what += " " + std::to_string(info.st_mtim.tv_nsec) + " " + get_file(entry.path());
    tree[entry.path().string().substr(root.size())] = what;
  }
  return tree;
}

// Only below `root`: the machine that the test runs on has files of these names, too.
class FilesBelow final : public HostUndo {
 public:
  FilesBelow(std::string root, const UndoPaths& paths) : root_(std::move(root)), files_(paths.copies) {}
  Result<ResetSeen> look(const std::vector<Change>& changes) override {
    ResetSeen seen;
    for (const Change& change : changes) seen.of.push_back(mine(change) ? files_.look(change) : EntrySeen{});
    return seen;
  }
  Status undo(const ResetStep& step) override {
    if (!mine(step.change)) return make_error(Errc::internal, "not below the root: " + step.name);
    return files_.undo(step);
  }

 private:
  bool mine(const Change& change) const { return FileUndo::handles(change.kind) && change.name.starts_with(root_ + "/"); }
  std::string root_;
  FileUndo files_;
};

// Somebody else's things, some of them where ours come.
void furnish(const std::string& host) {
  for (const char* folder : {"/units", "/docker", "/cni", "/kubernetes/manifests", "/opt-other", "/run-units"}) fs::create_directories(host + folder);
  put_file(host + "/docker/daemon.json", "{\"debug\": true}");
  put_file(host + "/cni/99-other.conflist", "{}");
  put_file(host + "/kubernetes/manifests/mine.yaml", "kind: Pod");
  put_file(host + "/units/other.service", "[Service]\n");
  REQUIRE(::chmod((host + "/docker/daemon.json").c_str(), 0640) == 0);
  fs::create_symlink("/lib/systemd/system/docker.service", host + "/units/docker.service");
}

// As the components' programs would do.
void let_programs_run(const std::string& host) {
  for (const char* file : {"/rest/var/lib/docker/overlay2/x/diff/bin/sh", "/rest/var/lib/cni/results/a", "/rest/opt/containerd/lib/b", "/kubelet/pods/u/etc-hosts",
                           "/docker/key.json", "/rest/usr/libexec/kubernetes/kubelet-plugins/volume/exec/x", "/rest/var/log/pods/p/0.log", "/cni-state/slipway/10.1.1.2",
                           // by the supervisor, for one that ends again and again
                           "/run-units/kubelet.service.d/50-slipway-backoff.conf"}) {
    fs::create_directories(fs::path(host + file).parent_path());
    put_file(host + file, "by a program");
  }
}

// As containerd and its pods do.
void let_containerd_run(const std::string& host) {
  for (const char* file : {"/rest/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/sh", "/rest/run/containerd/io.containerd.runtime.v2.task/k8s.io/a/init.pid",
                           "/rest/run/nri/nri.sock", "/rest/run/netns/cni-4f3e", "/kubelet/pods/u/etc-hosts", "/rest/var/log/pods/p/0.log"}) {
    fs::create_directories(fs::path(host + file).parent_path());
    put_file(host + file, "by a program");
  }
}

struct ResetWorld {
  ResetWorld() {
    REQUIRE(log::setup("slipway-agent", "error"));
    fs::create_directories(host);
    furnish(host);
    before = tree_of(host);
  }
  Memory live(const Stage& stage, const Memory& memory = {}) {
    CrashWorld world(host, role, stage, memory, [](const Memory&) {});
    const Status lived = world.live();
    INFO((lived ? "" : lived.error().message));
    REQUIRE(lived);
    return world.memory();
  }
  ResetOptions options(bool dry_run = false) const {
    ResetOptions options;
    options.config_file = dir / "no-agent.yaml";
    options.data_dir = host + "/agent";
    options.run_dir = host + "/run";
    options.dry_run = dry_run;
    options.open_host = [root = host](const UndoPaths& paths) -> Result<std::unique_ptr<HostUndo>> {
      return std::unique_ptr<HostUndo>(std::make_unique<FilesBelow>(root, paths));
    };
    return options;
  }
  Result<ResetResult> reset(const Memory& memory, bool dry_run = false) const {
    IoTest io;
    UnitWorld units(host + "/units");
    units.units = memory.units;
    return io.run(reset_now(options(dry_run), &units, {}));
  }

  TempDir dir{memory_folder()};
  std::string host = dir / "host";
  std::string role = "node";
  Tree before;
};

std::string told(const Result<ResetResult>& result) {
  if (!result) return result.error().message;
  std::string text;
  for (const Leftover& leftover : result->leftovers) text += leftover.name + ": " + leftover.why + "\n";
  return text;
}

std::unique_ptr<FileNodeStore> must_open(const std::string& data_dir) {
  auto store = FileNodeStore::open(data_dir);
  REQUIRE(store);
  return std::move(*store);
}

std::string differences(const Tree& found, const Tree& wanted) {
  std::string text;
  for (const auto& [path, what] : found) {
    if (wanted.count(path) == 0) text += "too much: " + path + "\n";
  }
  for (const auto& [path, what] : wanted) {
    const auto there = found.find(path);
    if (there == found.end()) text += "missing: " + path + "\n";
    if (there != found.end() && there->second != what) text += "changed: " + path + ": " + there->second + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("after a reset the host is what it was before the install", "[agent][reset]") {
  ResetWorld w;
  w.role = GENERATE(as<std::string>(), "node", "master");
  Memory memory = w.live(k_join);
  memory = w.live(k_install, memory);
  memory = w.live(k_upgrade, memory);
  let_programs_run(w.host);
  REQUIRE(must_open(w.host + "/agent")->save_applied("{}"));
  REQUIRE(must_open(w.host + "/agent")->append_delta("{}"));
  REQUIRE(FileTrustStore(w.host + "/agent").save_trust({}));
  for (const char* name : k_state_files) REQUIRE(fs::exists(w.host + "/agent/" + name));
  const Tree installed = tree_of(w.host);
  REQUIRE(installed.size() > w.before.size() + 30);

  const auto plan = w.reset(memory, true);
  INFO(told(plan));
  REQUIRE(plan);
  CHECK(plan->clean());
  CHECK(plan->node == "node1");
  CHECK(plan->steps.size() > 10);
  CHECK(differences(tree_of(w.host), installed).empty());  // a dry run changes nothing

  const auto done = w.reset(memory);
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK(done->steps == plan->steps);
  CHECK(differences(tree_of(w.host), w.before) == "");

  const auto again = w.reset(memory);
  REQUIRE(again);
  CHECK(again->clean());
  CHECK(again->steps.empty());
}

TEST_CASE("what containerd and its pods leave goes at a reset", "[agent][reset]") {
  ResetWorld w;
  const bool others = GENERATE(false, true);
  if (others) {
    fs::create_directories(w.host + "/rest/run/netns");
    put_file(w.host + "/rest/run/netns/theirs", "");
    w.before = tree_of(w.host);
  }
  Memory memory = w.live(k_join_one_folder);
  memory = w.live(k_one_folder, memory);
  let_containerd_run(w.host);
  const auto done = w.reset(memory);
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK(differences(tree_of(w.host), w.before) == "");
}

TEST_CASE("copies of CNI plugins go at a reset, others' programs in that folder stay",
          "[agent][reset][copies]") {
  ResetWorld w;
  const std::string folder = w.host + "/opt-cni/bin";
  const bool theirs = GENERATE(false, true);
  if (theirs) {
    fs::create_directories(folder);
    put_file(folder + "/calico", "theirs");
    put_file(folder + "/host-local", "theirs");
    w.before = tree_of(w.host);
  }
  Memory memory = w.live(k_join_one_folder);
  memory = w.live(k_one_folder, memory);
  CHECK(get_file(folder + "/bridge") == "ELF bridge");
  CHECK(get_file(folder + "/host-local") == (theirs ? "theirs" : "ELF host-local"));
  const auto done = w.reset(memory);
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK(differences(tree_of(w.host), w.before) == "");
}

TEST_CASE("a copied CNI plugin that somebody has replaced since is theirs at a reset",
          "[agent][reset][copies]") {
  ResetWorld w;
  const std::string folder = w.host + "/opt-cni/bin";
  Memory memory = w.live(k_join_one_folder);
  memory = w.live(k_one_folder, memory);
  put_file(folder + "/bridge", "a newer one");
  memory = w.live(k_one_folder, memory);
  CHECK(get_file(folder + "/bridge") == "a newer one");
  const auto done = w.reset(memory);
  REQUIRE(done);
  // And the folder around it.
  REQUIRE(done->leftovers.size() == 2);
  CHECK(told(done).find(folder + ": it holds what is not Slipway's: bridge\n") != std::string::npos);
  CHECK(get_file(folder + "/bridge") == "a newer one");
  CHECK_FALSE(fs::exists(folder + "/host-local"));
}

TEST_CASE("what somebody put into our folders is left, told, and gone on with", "[agent][reset]") {
  ResetWorld w;
  Memory memory = w.live(k_join);
  memory = w.live(k_install, memory);
  put_file(w.host + "/containerd/mine.toml", "x");
  const auto done = w.reset(memory);
  REQUIRE(done);
  REQUIRE(done->leftovers.size() == 1);
  CHECK(done->leftovers[0].name == w.host + "/containerd");
  CHECK(done->leftovers[0].why.find("mine.toml") != std::string::npos);
  CHECK(get_file(w.host + "/containerd/mine.toml") == "x");
  CHECK_FALSE(fs::exists(w.host + "/agent/node.json"));
  CHECK_FALSE(fs::exists(w.host + "/agent/pki"));
  fs::remove(w.host + "/containerd/mine.toml");
  const auto again = w.reset(memory);
  INFO(told(again));
  REQUIRE(again);
  CHECK(again->clean());
  CHECK(differences(tree_of(w.host), w.before) == "");
}

TEST_CASE("a host that was half installed is reset too", "[agent][reset][crash]") {
  ResetWorld w;
  SharedNotes notes;
  const bool one_folder = GENERATE(false, true);
  const Stage stage = one_folder ? k_one_folder : k_install;
  const Memory joined = w.live(one_folder ? k_join_one_folder : k_join);
  const std::string base = w.dir / "base";
  REQUIRE(::system(("cp -a " + w.host + " " + base).c_str()) == 0);
  std::size_t kills = 0;
  for (std::size_t at = 1;; at += 3) {
    fs::remove_all(w.host);
    REQUIRE(::system(("cp -a " + base + " " + w.host).c_str()) == 0);
    notes.write(joined.text());
    const auto job = [&] {
      CrashWorld world(w.host, "node", stage, joined,
                       [&notes](const Memory& memory) { notes.write(memory.text()); });
      const Status lived = world.live();
      if (!lived) throw std::runtime_error(lived.error().message);
    };
    const KilledRun run = run_and_kill(job, w.host, at);
    if (!run.possible) {
      WARN("SKIPPED: " << run.error);
      return;
    }
    const auto done = w.reset(Memory::from(notes.read()));
    INFO("killed at effect " << at << ", " << run.last << " " << run.error << "\n" << told(done));
    REQUIRE(done);
    CHECK(done->clean());
    REQUIRE(differences(tree_of(w.host), w.before) == "");
    if (!run.killed) break;
    ++kills;
  }
  std::cout << "half installed: " << kills << " kills\n";
  CHECK(kills > 30);
}

TEST_CASE("kill -9 of a reset at any effect: the next one goes on", "[agent][reset][crash]") {
  ResetWorld w;
  SharedNotes notes;
  Memory memory = w.live(k_join);
  memory = w.live(k_install, memory);
  let_programs_run(w.host);
  const std::string base = w.dir / "base";
  REQUIRE(::system(("cp -a " + w.host + " " + base).c_str()) == 0);
  std::size_t kills = 0;
  for (std::size_t at = 1;; ++at) {
    fs::remove_all(w.host);
    REQUIRE(::system(("cp -a " + base + " " + w.host).c_str()) == 0);
    const auto job = [&] {
      const auto done = w.reset(memory);
      if (!done) throw std::runtime_error(done.error().message);
    };
    const KilledRun run = run_and_kill(job, w.host, at);
    if (!run.possible) {
      WARN("SKIPPED: " << run.error);
      return;
    }
    INFO("killed at effect " << at << ", " << run.last << " " << run.error);
    REQUIRE(run.error.empty());
    const auto done = w.reset(memory);
    INFO(told(done));
    REQUIRE(done);
    CHECK(done->clean());
    REQUIRE(differences(tree_of(w.host), w.before) == "");
    if (!run.killed) break;
    ++kills;
  }
  std::cout << "reset: " << kills << " kills\n";
  CHECK(kills > 60);
}

TEST_CASE("an agent of before there was a ledger: reset says what to do and touches nothing", "[agent][reset]") {
  ResetWorld w;
  Memory memory = w.live(k_join);
  memory = w.live(k_install, memory);
  fs::remove_all(w.host + "/agent/ledger");
  const Tree installed = tree_of(w.host);
  const auto refused = w.reset(memory);
  REQUIRE(refused);
  REQUIRE(refused->leftovers.size() == 1);
  CHECK(refused->leftovers[0].why.find("start slipway-agent once") != std::string::npos);
  Tree after = tree_of(w.host);
  after.erase("/agent/.lock");
  CHECK(differences(after, installed) == "");
  // The new agent begins one; what is ours by name or mark goes, the rest is told.
  memory = w.live(k_install, memory);
  const auto done = w.reset(memory);
  REQUIRE(done);
  CHECK_FALSE(done->clean());
  CHECK_FALSE(fs::exists(w.host + "/opt"));
  CHECK_FALSE(fs::exists(w.host + "/cni/10-slipway.conflist"));
  CHECK_FALSE(fs::exists(w.host + "/units/kubelet.service"));
  CHECK(fs::exists(w.host + "/cni/99-other.conflist"));
  CHECK(fs::exists(w.host + "/docker/daemon.json"));
}

TEST_CASE("a reset refuses while an agent holds the data directory", "[agent][reset]") {
  ResetWorld w;
  (void)w.live(k_join);
  const auto held = DirLock::acquire(w.host + "/agent");
  REQUIRE(held);
  const auto refused = w.reset({});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(fs::exists(w.host + "/agent/node.json"));
}

}  // namespace slipway
