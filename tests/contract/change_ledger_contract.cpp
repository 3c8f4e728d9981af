// The change ledger's file: entries before changes, whatever a kill leaves, copies of what was there.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/host/file_undo.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/files/atomic_file.hpp"
#include "tests/support/kill_sweep.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace test;

Result<Change> nothing_there(const Intent& intent) { return Change{intent.kind, intent.name}; }

std::unique_ptr<FileChangeLedger> open_in(const std::string& dir, FormerLook look = nothing_there) {
  auto ledger = FileChangeLedger::open(dir, std::move(look));
  INFO((ledger ? "" : ledger.error().message));
  REQUIRE(ledger);
  return std::move(*ledger);
}

Former former_of_file(const FileChangeLedger& ledger, const std::string& path) {
  const Change* change = ledger.ledger().find(ChangeKind::file, path);
  REQUIRE(change != nullptr);
  return change->former;
}

std::string text_of(const TempDir& dir) { return get_file(dir / "data/ledger/changes"); }

Status make(const std::string& path) {
  if (auto made = make_dirs(parent_path(path), 0755); !made) return made;
  return write_file_atomically(path, "ours", 0644);
}

void or_throw(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

}  // namespace

TEST_CASE("change ledger: what was there is told from what was not", "[agent][ledger][contract]") {
  TempDir dir;
  put_file(dir / "theirs", "before");
  fs::create_symlink("/somewhere", dir / "link");
  fs::create_directory(dir / "folder");
  const auto ledger = open_in(dir / "data", [](const Intent& intent) -> Result<Change> {
    if (intent.kind != ChangeKind::sysctl) return Change{intent.kind, intent.name};
    return Change{intent.kind, intent.name, "", Former::kept, "0"};
  });
  REQUIRE(ledger->intend({{ChangeKind::file, dir / "theirs"},
                          {ChangeKind::file, dir / "new/deep/file"},
                          {ChangeKind::file, dir / "link"},
                          {ChangeKind::link, dir / "link", "/ours"},
                          {ChangeKind::dir, dir / "folder"},
                          {ChangeKind::tree, dir / "tree"},
                          {ChangeKind::sysctl, "kernel/panic", "10"}}));
  const auto read = FileChangeLedger::read(dir / "data");
  REQUIRE(read);
  const Ledger& known = (*read)->ledger();
  CHECK(former_of_file(**read, dir / "theirs") == Former::kept);
  CHECK(former_of_file(**read, dir / "new/deep/file") == Former::absent);
  CHECK(former_of_file(**read, dir / "link") == Former::link);
  CHECK(known.find(ChangeKind::link, dir / "link")->value == "/somewhere");
  CHECK(known.find(ChangeKind::link, dir / "link")->wanted == "/ours");
  CHECK(known.find(ChangeKind::dir, dir / "folder")->former == Former::found);
  CHECK(known.find(ChangeKind::tree, dir / "tree")->former == Former::absent);
  CHECK(known.find(ChangeKind::sysctl, "kernel/panic")->value == "0");
  // The folders that have to be made for it, before it.
  REQUIRE(known.find(ChangeKind::dir, dir / "new") != nullptr);
  CHECK(known.find(ChangeKind::dir, dir / "new/deep")->former == Former::absent);
  CHECK((*read)->damaged() == 0);
}

TEST_CASE("change ledger: a steady pass writes nothing", "[agent][ledger][contract]") {
  TempDir dir;
  const auto ledger = open_in(dir / "data");
  const std::vector<Intent> intents = {{ChangeKind::file, dir / "a"}, {ChangeKind::unit, "a.service"}};
  REQUIRE(ledger->intend(intents));
  const std::string text = text_of(dir);
  struct stat before {}, after {};
  REQUIRE(::stat((dir / "data/ledger/changes").c_str(), &before) == 0);
  put_file(dir / "a", "ours by now");
  REQUIRE(ledger->intend(intents));
  REQUIRE(::stat((dir / "data/ledger/changes").c_str(), &after) == 0);
  CHECK(text_of(dir) == text);
  CHECK(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
  // Nor does another process of the agent take its own file for somebody's.
  const auto again = open_in(dir / "data");
  REQUIRE(again->intend(intents));
  CHECK(former_of_file(*again, dir / "a") == Former::absent);
}

TEST_CASE("change ledger: two processes may write", "[agent][ledger][contract]") {
  TempDir dir;
  const auto agent = open_in(dir / "data");
  const auto join = open_in(dir / "data");
  REQUIRE(join->intend({{ChangeKind::file, dir / "config"}}));
  put_file(dir / "config", "ours");
  REQUIRE(agent->intend({{ChangeKind::file, dir / "config"}, {ChangeKind::file, dir / "unit"}}));
  const auto read = FileChangeLedger::read(dir / "data");
  REQUIRE(read);
  CHECK((*read)->ledger().changes().size() == 2);
  CHECK(former_of_file(**read, dir / "config") == Former::absent);
}

TEST_CASE("change ledger: half a last line is cut off, a damaged one is told", "[agent][ledger][contract]") {
  TempDir dir;
  {
    const auto ledger = open_in(dir / "data");
    REQUIRE(ledger->intend({{ChangeKind::file, dir / "a"}}));
    REQUIRE(ledger->intend({{ChangeKind::file, dir / "b"}}));
  }
  const std::string whole = text_of(dir);
  put_file(dir / "data/ledger/changes", whole.substr(0, whole.size() - 7));
  {
    const auto ledger = open_in(dir / "data");
    CHECK(ledger->damaged() == 0);
    CHECK(ledger->ledger().find(ChangeKind::file, dir / "b") == nullptr);
    REQUIRE(ledger->intend({{ChangeKind::file, dir / "c"}}));
  }
  CHECK(open_in(dir / "data")->ledger().changes().size() == 2);
  std::string text = text_of(dir);
  text[text.find("\"file\"") + 1] = 'F';
  put_file(dir / "data/ledger/changes", text);
  const auto damaged = open_in(dir / "data");
  CHECK(damaged->damaged() == 1);
  CHECK(damaged->ledger().changes().size() == 1);
  // It is not made to disappear.
  REQUIRE(damaged->keep_only({}));
  CHECK(open_in(dir / "data")->damaged() == 1);
}

TEST_CASE("change ledger: names that could not be ours are refused from the file and from the caller", "[agent][ledger][contract]") {
  TempDir dir;
  const auto ledger = open_in(dir / "data");
  CHECK_FALSE(ledger->intend({{ChangeKind::tree, "/etc"}}));
  CHECK_FALSE(ledger->intend({{ChangeKind::tree, "/var/../etc/x"}}));
  CHECK(FileChangeLedger::read(dir / "data").value()->ledger().changes().empty());
}

TEST_CASE("change ledger: begun on a node that has joined already", "[agent][ledger][contract]") {
  TempDir dir;
  fs::create_directories(dir / "data");
  put_file(dir / "data/node.json", "{}");
  put_file(dir / "conflist", "{}");
  put_file(dir / "daemon.json", "{}");
  put_file(dir / "config.toml", "# Written by slipway-agent; changes are undone.\n");
  fs::create_directory(dir / "docker");
  const auto ledger = open_in(dir / "data");
  REQUIRE(ledger->intend({{ChangeKind::file, dir / "conflist", "", true},
                          {ChangeKind::file, dir / "daemon.json"},
                          {ChangeKind::file, dir / "config.toml"},
                          {ChangeKind::file, dir / "later"},
                          {ChangeKind::tree, dir / "docker"}}));
  CHECK(former_of_file(*ledger, dir / "conflist") == Former::presumed);
  CHECK(former_of_file(*ledger, dir / "daemon.json") == Former::unsure);
  CHECK(get_file(FileChangeLedger::copy_path(dir / "data", *ledger->ledger().find(ChangeKind::file, dir / "daemon.json"))) == "{}");
  CHECK(former_of_file(*ledger, dir / "config.toml") == Former::presumed);
  CHECK(former_of_file(*ledger, dir / "later") == Former::absent);
  CHECK(ledger->ledger().find(ChangeKind::tree, dir / "docker")->former == Former::unsure);
}

TEST_CASE("change ledger: a replaced file comes back with mode, owner and time", "[agent][ledger][contract]") {
  TempDir dir;
  const std::string path = dir / "daemon.json";
  put_file(path, "theirs");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  const timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 123'456'789}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  const auto ledger = open_in(dir / "data");
  REQUIRE(ledger->intend({{ChangeKind::file, path}}));
  REQUIRE(write_file_atomically(path, "ours", 0600));
  const Change entry = *FileChangeLedger::read(dir / "data").value()->ledger().find(ChangeKind::file, path);
  const FileUndo files(FileChangeLedger::folder(dir / "data") + "/kept");
  CHECK_FALSE(files.look(entry).same_as_kept);
  REQUIRE(files.undo({ResetAction::restore_file, path, "", entry}));
  CHECK(get_file(path) == "theirs");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0640);
  CHECK(info.st_mtim.tv_sec == 1'600'000'000);
  CHECK(info.st_mtim.tv_nsec == 123'456'789);
  CHECK(files.look(entry).same_as_kept);
  // Also when somebody has taken ours away.
  fs::remove(path);
  CHECK(files.look(entry).there);
  REQUIRE(files.undo({ResetAction::restore_file, path, "", entry}));
  CHECK(get_file(path) == "theirs");
}

TEST_CASE("change ledger: killed between any two writes it knows of every change that was made", "[agent][ledger][contract]") {
  TempDir dir(memory_folder());
  const std::string host = dir / "host";
  const auto job = [&host] {
    auto ledger = FileChangeLedger::open(host + "/data", nothing_there);
    if (!ledger) throw std::runtime_error(ledger.error().message);
    for (const char* name : {"/a/1", "/a/2", "/b/c/3"}) {
      or_throw((*ledger)->intend({{ChangeKind::file, host + name}, {ChangeKind::file, host + "/theirs"}, {ChangeKind::unit, "x.service"}}));
      or_throw(make(host + name));
    }
    or_throw(write_file_atomically(host + "/theirs", "ours", 0644));
  };
  for (std::size_t at = 1;; ++at) {
    fs::remove_all(host);
    fs::create_directories(host);
    put_file(host + "/theirs", "before");
    const KilledRun run = run_and_kill(job, host, at);
    if (!run.possible) {
      WARN("SKIPPED: " << run.error);
      return;
    }
    INFO("killed at effect " << at << ", " << run.last << " " << run.error);
    REQUIRE(run.error.empty());
    if (fs::exists(host + "/data/ledger/changes")) {
      const auto ledger = open_in(host + "/data");
      CHECK(ledger->damaged() == 0);
      for (const char* name : {"/a/1", "/a/2", "/b/c/3"}) {
        if (fs::exists(host + name)) CHECK(former_of_file(*ledger, host + name) == Former::absent);
        const std::string folder = fs::path(host + name).parent_path();
        if (fs::exists(folder)) CHECK(ledger->ledger().find(ChangeKind::dir, folder) != nullptr);
      }
      // And goes on from there.
      REQUIRE(ledger->intend({{ChangeKind::file, host + "/theirs"}}));
      const Change entry = *ledger->ledger().find(ChangeKind::file, host + "/theirs");
      CHECK(entry.former == Former::kept);
      CHECK(get_file(FileChangeLedger::copy_path(host + "/data", entry)) == "before");
    } else {
      CHECK_FALSE(fs::exists(host + "/a"));
      CHECK(get_file(host + "/theirs") == "before");
    }
    if (!run.killed) break;
    REQUIRE(at < 500);
  }
}

}  // namespace slipway
