// A reset with the kernel: network, mounts, processes.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "agent/host/host_objects.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/reset_command.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/core/unique_fd.hpp"
#include "tests/support/fake_supervisor.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/private_tmpfs.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace test;

std::string told(const Result<ResetResult>& result) {
  if (!result) return result.error().message;
  std::string text;
  for (const Leftover& leftover : result->leftovers) text += leftover.name + ": " + leftover.why + "\n";
  return text;
}

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
  run_tool({"nft", "add", "table", "ip6", "kube-proxy-of-mine"});
  const std::string before_rules = rules(), before_routes = run_words("ip route show"), before_links = run_words("ip -o link show");

  host.note({{ChangeKind::sysctl, "net/ipv4/ip_forward", "1"},
             {ChangeKind::routes, "77", "", true},
             {ChangeKind::table, "slipway", "", true},
             {ChangeKind::table, "ip kube-proxy"},
             {ChangeKind::table, "ip6 kube-proxy"},
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
  for (const char* family : {"ip", "ip6"}) {
    run_tool({"nft", "add", "table", family, "kube-proxy"});
    run_tool({"nft", "add", "chain", family, "kube-proxy", "services"});
  }
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
  CHECK(run_tool({"nft", "list", "tables"}).find("table ip kube-proxy") == std::string::npos);
  CHECK(run_tool({"nft", "list", "tables"}).find("table ip6 kube-proxy\n") == std::string::npos);
  CHECK(run_tool({"nft", "list", "tables"}).find("table ip6 kube-proxy-of-mine") != std::string::npos);
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

TEST_CASE("pods' network namespaces go at a reset, others' in the same folder stay", "[agent][reset][mount]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  KernelHost host;
  const std::string folder = host.dir / "netns";
  host.note({{ChangeKind::namespaces, folder + "/cni-"}});
  fs::create_directory(folder);
  const bool others = GENERATE(false, true);
  std::vector<std::string> names = {"cni-1", "cni-2"};
  if (others) names.push_back("theirs");
  for (const std::string& name : names) {
    put_file(folder + "/" + name, "");
    REQUIRE(::mount("/proc/self/ns/net", (folder + "/" + name).c_str(), nullptr, MS_BIND, nullptr) == 0);
  }
  const auto done = host.reset();
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK_FALSE(fs::exists(folder + "/cni-1"));
  CHECK_FALSE(fs::exists(folder + "/cni-2"));
  CHECK(fs::exists(folder) == others);
  if (others) REQUIRE(::umount2((folder + "/theirs").c_str(), 0) == 0);  // it is mounted still
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
