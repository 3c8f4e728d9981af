// `slipway-agent preflight --fix` with the kernel's network in a name space of its own, and sysctls and /etc in a folder: what it changes
// stands in the ledger first, and a reset takes it back.
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/preflight_fix.hpp"
#include "agent/reset_command.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/log/log.hpp"
#include "tests/support/fake_supervisor.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

namespace fs = std::filesystem;

constexpr char k_forwarding[] = "net/ipv4/ip_forward";
constexpr char k_bridge[] = "net/bridge/bridge-nf-call-iptables";

struct FixHost {
  FixHost() {
    REQUIRE(log::setup("slipway-agent", "error"));
    put(k_forwarding, "0\n");
    put(k_bridge, "0\n");
    for (const char* folder : {"/etc/sysctl.d", "/etc/modules-load.d"}) fs::create_directories(dir / folder);
  }
  void put(const std::string& key, const std::string& value) const {
    fs::create_directories(fs::path(paths.proc_sys + "/" + key).parent_path());
    put_file(paths.proc_sys + "/" + key, value);
  }
  std::string value(const std::string& key) const { return get_file(paths.proc_sys + "/" + key); }
  std::vector<std::string> files_of_etc() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(paths.etc)) {
      if (entry.is_regular_file()) names.push_back(entry.path());
    }
    return names;
  }
  std::vector<Change> noted() const {
    const auto ledger = FileChangeLedger::read(data_dir);
    return ledger ? (*ledger)->ledger().changes() : std::vector<Change>();
  }
  const Change* entry(const std::vector<Change>& changes, ChangeKind kind, const std::string& name) const {
    for (const Change& change : changes) {
      if (change.kind == kind && change.name == name) return &change;
    }
    return nullptr;
  }
  Result<ResetResult> reset() const {
    ResetOptions options;
    options.config_file = dir / "no-agent.yaml";
    options.data_dir = data_dir;
    options.run_dir = dir / "run";
    options.paths.network.proc_sys = paths.proc_sys;
    options.paths.sys = paths.sys;
    options.paths.cgroups = dir / "cgroups";
    IoTest io;
    FakeSupervisor supervisor;
    return io.run(reset_now(options, &supervisor, {}));
  }
  NetNamespace network;
  TempDir dir;
  std::string data_dir = dir / "agent";
  FixPaths paths{dir / "proc-sys", dir / "etc", dir / "sys"};
};

std::string told(const ResetResult& result) {
  std::string text;
  for (const Leftover& leftover : result.leftovers) text += leftover.name + ": " + leftover.why + "\n";
  return text;
}

}  // namespace

TEST_CASE("what preflight fixes stands in the ledger, and a reset takes it back", "[agent][preflight][reset]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  const FixHost host;
  const auto fixed = fix_preflight(host.data_dir, host.paths);
  INFO((fixed ? "" : fixed.error().message));
  REQUIRE(fixed);
  CHECK(fixed->size() == 4);  // two sysctls, two files
  CHECK(host.value(k_forwarding) == "1\n");
  CHECK(host.value(k_bridge) == "1\n");
  const std::vector<std::string> files = host.files_of_etc();
  CHECK(files.size() == 2);

  const std::vector<Change> noted = host.noted();
  for (const char* key : {k_forwarding, k_bridge}) {
    const Change* entry = host.entry(noted, ChangeKind::sysctl, key);
    INFO(key);
    REQUIRE(entry != nullptr);
    CHECK(entry->former == Former::kept);
    CHECK(entry->value == "0");  // read before it was set
  }
  CHECK(host.entry(noted, ChangeKind::module, "br_netfilter") != nullptr);
  for (const std::string& file : files) {
    const Change* entry = host.entry(noted, ChangeKind::file, file);
    INFO(file);
    REQUIRE(entry != nullptr);
    CHECK(entry->former == Former::absent);
  }
  for (const ChangeKind kind : {ChangeKind::routes, ChangeKind::table, ChangeKind::chains, ChangeKind::device}) {
    for (const Change& change : noted) CHECK(change.kind != kind);  // nothing was made of the pod network
  }
  // A second time there is nothing to do.
  const auto again = fix_preflight(host.data_dir, host.paths);
  REQUIRE(again);
  CHECK(again->empty());

  const auto undone = host.reset();
  INFO((undone ? told(*undone) : undone.error().message));
  REQUIRE(undone);
  CHECK(undone->clean());
  CHECK(host.value(k_forwarding).substr(0, 1) == "0");
  CHECK(host.value(k_bridge).substr(0, 1) == "0");
  CHECK(host.files_of_etc().empty());
}

TEST_CASE("a fix that fails is noted before it is tried", "[agent][preflight][reset]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  const FixHost host;
  fs::remove(host.paths.proc_sys + "/" + k_forwarding);
  fs::create_directory(host.paths.proc_sys + "/" + k_forwarding);
  const auto fixed = fix_preflight(host.data_dir, host.paths);
  REQUIRE_FALSE(fixed);
  CHECK(fixed.error().message.find(k_forwarding) != std::string::npos);
  CHECK(host.entry(host.noted(), ChangeKind::sysctl, k_forwarding) != nullptr);
  // What was changed beside it goes all the same.
  CHECK(host.value(k_bridge) == "1\n");
  REQUIRE(host.reset());
  CHECK(host.value(k_bridge).substr(0, 1) == "0");
  CHECK(host.files_of_etc().empty());
}

TEST_CASE("what cannot be noted is not changed", "[agent][preflight][reset]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root");
    return;
  }
  const FixHost host;
  put_file(host.data_dir, "no folder");
  CHECK_FALSE(fix_preflight(host.data_dir, host.paths));
  CHECK(host.value(k_forwarding) == "0\n");
  CHECK(host.files_of_etc().empty());
}

TEST_CASE("a node's agent keeps its own settings: there is nothing to fix", "[agent][preflight]") {
  const TempDir dir;
  fs::create_directories(dir / "agent");
  put_file(dir / "agent/node.json", "{}");
  const auto refused = fix_preflight(dir / "agent");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
}

}  // namespace slipway::test
