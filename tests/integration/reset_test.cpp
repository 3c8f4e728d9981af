// Install with the agent's own services, reset, compare: nothing of ours is left and nothing of anybody else's is missing, also on a host
// that was half installed, and when the reset itself is killed.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "agent/host/file_undo.hpp"
#include "agent/host/host_objects.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/reset_command.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "agent/store/file_node_store.hpp"
#include "agent/store/file_trust_store.hpp"
#include "common/core/text.hpp"
#include "common/files/dir_lock.hpp"
#include "common/log/log.hpp"
#include "tests/integration/crash_world.hpp"
#include "tests/support/fake_supervisor.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/private_tmpfs.hpp"

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

// With the kernel: network, mounts, processes.

namespace {

struct KernelHost {
  KernelHost() {
    paths.network.proc_sys = dir / "proc-sys";
    fs::create_directories(paths.network.proc_sys + "/net/ipv4");
    put_file(paths.network.proc_sys + "/net/ipv4/ip_forward", "0\n");
    paths.copies = dir / "data/ledger/kept";
    paths.cgroups = dir / "cgroups";
    paths.sys = dir / "sys";
    run_words("ip link add eth0 type veth peer name far0");
    run_words("ip addr add 10.77.0.11/24 dev eth0");
    run_words("ip link set eth0 up");
    run_words("ip link set far0 up");
  }
  void note(const std::vector<Intent>& intents) {
    auto host = KernelUndo::open(paths);
    REQUIRE(host);
    auto ledger = FileChangeLedger::open(dir / "data", [&host](const Intent& intent) { return (*host)->former(intent); });
    REQUIRE(ledger);
    REQUIRE((*ledger)->intend(intents));
  }
  Result<ResetResult> reset() {
    ResetOptions options;
    options.config_file = dir / "no-agent.yaml";
    options.data_dir = dir / "data";
    options.run_dir = dir / "run";
    options.paths = paths;
    IoTest io;
    FakeSupervisor supervisor;
    return io.run(reset_now(options, &supervisor, {}));
  }
  // Memory, so that a mount of it is of the same file system.
  PrivateTmpfs memory{"/mnt", "size=16m"};
  NetNamespace network;
  TempDir dir{"/mnt"};
  UndoPaths paths;
};

std::string rules() { return run_tool({"iptables-save"}); }

}  // namespace

TEST_CASE("routes, rules and devices of others stay when ours go", "[agent][reset][network]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  KernelHost host;
  run_words("ip route add 10.99.0.0/16 via 10.77.0.12 proto static");
  run_tool({"iptables", "-N", "MINE"});
  run_tool({"iptables", "-A", "FORWARD", "-s", "192.0.2.0/24", "-j", "MINE"});
  run_tool({"nft", "add", "table", "ip", "theirs"});
  const std::string before_rules = rules(), before_routes = run_words("ip route show"), before_links = run_words("ip -o link show");

  host.note({{ChangeKind::sysctl, "net/ipv4/ip_forward", "1"},
             {ChangeKind::routes, "77", "", true},
             {ChangeKind::table, "slipway", "", true},
             {ChangeKind::chains, "SLIPWAY-FORWARD", "", true},
             {ChangeKind::chains, "KUBE-"},
             {ChangeKind::device, "cni0"}});
  IoTest io;
  KernelNetworkPaths network_paths;
  network_paths.proc_sys = host.paths.network.proc_sys;
  network_paths.etc = host.dir / "etc";
  auto network = KernelNetwork::open(io.executor(), network_paths);
  REQUIRE(network);
  NetworkDesired wanted;
  wanted.node_address = IpAddress::parse("10.77.0.11").value();
  wanted.own_cidr = Cidr::parse("10.10.3.0/24").value();
  wanted.pools = {Cidr::parse("10.10.0.0/16").value()};
  wanted.peers = {{"node2", Cidr::parse("10.10.4.0/24").value(), IpAddress::parse("10.77.0.12").value()}};
  const auto seen = (*network)->observe();
  REQUIRE(seen);
  for (const Status& status : (*network)->apply(plan_network(wanted, *seen))) {
    if (!status) WARN(status.error().message);  // bridge-nf-call-iptables is no file of ours here
  }
  run_words("ip link add cni0 type bridge");
  run_words("ip link add veth1234 type veth peer name pod0");
  run_words("ip link set veth1234 master cni0");
  run_tool({"iptables", "-t", "nat", "-N", "KUBE-SERVICES"});
  run_tool({"iptables", "-t", "nat", "-A", "PREROUTING", "-m", "comment", "--comment", "kubernetes service portals", "-j", "KUBE-SERVICES"});
  REQUIRE(run_words("ip route show").find("proto 77") != std::string::npos);
  REQUIRE(rules().find("SLIPWAY-FORWARD") != std::string::npos);
  REQUIRE(get_file(host.paths.network.proc_sys + "/net/ipv4/ip_forward") == "1\n");

  const auto done = host.reset();
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK(run_words("ip route show") == before_routes);
  CHECK(run_words("ip -o link show") == before_links);
  CHECK(rules().find("KUBE-") == std::string::npos);
  CHECK(rules().find("SLIPWAY") == std::string::npos);
  CHECK(rules().find("-A FORWARD -s 192.0.2.0/24 -j MINE") != std::string::npos);
  CHECK(run_tool({"nft", "list", "tables"}).find("theirs") != std::string::npos);
  CHECK(run_tool({"nft", "list", "tables"}).find("slipway") == std::string::npos);
  CHECK(get_file(host.paths.network.proc_sys + "/net/ipv4/ip_forward").substr(0, 1) == "0");
}

TEST_CASE("data behind a mount survive a reset, and pods' mounts go first", "[agent][reset][mount]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  KernelHost host;
  const std::string tree = host.dir / "kubelet", data = host.dir / "data-of-the-operator";
  host.note({{ChangeKind::tree, tree}});
  fs::create_directories(tree + "/pods/u/volumes/v");
  fs::create_directories(tree + "/backup");
  fs::create_directories(data);
  put_file(data + "/precious", "x");
  const auto bind = [&](const std::string& to) { REQUIRE(::mount(data.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0); };
  bind(tree + "/pods/u/volumes/v");
  bind(tree + "/backup");  // of the same file system: its device does not give it away
  const auto first = host.reset();
  REQUIRE(first);
  REQUIRE(first->leftovers.size() == 1);
  CHECK(first->leftovers[0].why.find(tree + "/backup") != std::string::npos);
  CHECK(get_file(data + "/precious") == "x");
  CHECK(fs::exists(tree + "/pods/u"));
  REQUIRE(::umount2((tree + "/backup").c_str(), 0) == 0);
  const auto second = host.reset();
  INFO(told(second));
  REQUIRE(second);
  CHECK(second->clean());
  CHECK_FALSE(fs::exists(tree));
  CHECK(get_file(data + "/precious") == "x");
}

TEST_CASE("a disk that was mounted empty where docker writes is emptied, and stays", "[agent][reset][mount]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  KernelHost host;
  const std::string disk = host.dir / "docker";
  fs::create_directory(disk);
  REQUIRE(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m,mode=0755") == 0);
  fs::create_directory(disk + "/lost+found");
  host.note({{ChangeKind::tree, disk}});
  fs::create_directories(disk + "/overlay2/x");
  put_file(disk + "/overlay2/x/layer", "x");
  REQUIRE(::chmod(disk.c_str(), 0710) == 0);
  const auto done = host.reset();
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK(fs::exists(disk + "/lost+found"));
  CHECK_FALSE(fs::exists(disk + "/overlay2"));
  CHECK((fs::status(disk).permissions() & fs::perms::all) == fs::perms(0755));
  REQUIRE(::umount2(disk.c_str(), 0) == 0);  // it is mounted still
}

TEST_CASE("a mount that is busy is a leftover, and what is in it survives", "[agent][reset][mount]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  KernelHost host;
  const std::string tree = host.dir / "kubelet", data = host.dir / "operator", volume = tree + "/pods/u/volumes/v";
  host.note({{ChangeKind::tree, tree}});
  fs::create_directories(volume);
  fs::create_directories(data);
  put_file(data + "/precious", "x");
  REQUIRE(::mount(data.c_str(), volume.c_str(), nullptr, MS_BIND, nullptr) == 0);
  {
    const UniqueFd open(::open((volume + "/precious").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(open);
    const auto done = host.reset();
    REQUIRE(done);
    CHECK_FALSE(done->clean());
  }
  CHECK(get_file(data + "/precious") == "x");
  const auto again = host.reset();
  INFO(told(again));
  REQUIRE(again);
  CHECK(again->clean());
  CHECK(get_file(data + "/precious") == "x");
}

TEST_CASE("programs of ours and what they started are ended, others not", "[agent][reset]") {
  TempDir dir;
  fs::create_directories(dir / "opt/docker");
  fs::create_directories(dir / "other");
  for (const char* folder : {"opt/docker", "other"}) fs::copy("/bin/sh", dir / (std::string(folder) + "/sh"));
  const auto start = [](const std::string& program) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      // A child of its own, that takes no notice of SIGTERM.
      ::execl(program.c_str(), program.c_str(), "-c", "(trap '' TERM; /bin/sleep 1000; /bin/true) & wait", nullptr);
      ::_exit(127);
    }
    return pid;
  };
  const pid_t ours = start(dir / "opt/docker/sh");
  const pid_t other = start(dir / "other/sh");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (programs_below(dir / "opt").size() < 3 && std::chrono::steady_clock::now() < until) ::sched_yield();
  CHECK(programs_below(dir / "opt").size() == 3);
  // Its exit is ours to take: a dead one that nobody waits for does not count.
  ::signal(SIGCHLD, SIG_IGN);
  const Status ended = end_programs(dir / "opt", std::chrono::milliseconds(200));
  INFO((ended ? "" : ended.error().message));
  CHECK(ended);
  CHECK(programs_below(dir / "opt").empty());
  CHECK(programs_below(dir / "other").size() == 3);
  CHECK(end_programs(dir / "other", std::chrono::milliseconds(100)));
  ::signal(SIGCHLD, SIG_DFL);
  (void)ours;
  (void)other;
}

}  // namespace slipway
