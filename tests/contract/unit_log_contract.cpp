// The UnitLog port: the same cases against log files and against a journal of a real systemd-journald, an instance of its own.
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include "agent/domain/log_lines.hpp"
#include "agent/process/journal_unit_log.hpp"
#include "agent/process/unit_files.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

struct LogRig {
  virtual ~LogRig() = default;
  virtual UnitLog& log() = 0;
  // A process of the unit prints lines.
  virtual void print(const std::string& unit, const std::string& text) = 0;
};

struct FileRig final : LogRig {
  TempDir dir;
  FileUnitLog files{dir.path()};
  UnitLog& log() override { return files; }
  void print(const std::string& unit, const std::string& text) override { std::ofstream(dir / (unit + ".log"), std::ios::app) << text; }
};

// journald with a namespace (systemd-journald.service(8)): own sockets, own files, nothing of the host's.
struct JournalRig final : LogRig {
  static constexpr char k_program[] = "/lib/systemd/systemd-journald";
  std::string name = "slipwaytest" + std::to_string(::getpid());
  std::string sockets = "/run/systemd/journal." + name;
  std::string folder = "/journal/" + machine_id() + "." + name;
  pid_t pid = 0;
  std::unique_ptr<JournalUnitLog> journal;

  static bool available() { return ::geteuid() == 0 && ::access(k_program, X_OK) == 0 && !machine_id().empty(); }
  static std::string machine_id() {
    std::string id;
    std::ifstream("/etc/machine-id") >> id;
    return id;
  }
  JournalRig() {
    const char* argv[] = {k_program, name.c_str(), nullptr};
    if (::posix_spawn(&pid, k_program, nullptr, nullptr, const_cast<char**>(argv), environ) != 0) throw std::runtime_error("journald");
    until([this] { return std::filesystem::exists(sockets + "/stdout"); });
  }
  ~JournalRig() override {
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
    std::error_code ignored;
    for (const std::string& path : {sockets, "/var/log" + folder, "/run/log" + folder}) std::filesystem::remove_all(path, ignored);
  }
  static void until(const std::function<bool()>& done) {
    for (int i = 0; i < 500 && !done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  UnitLog& log() override {
    const std::string kept = "/var/log" + folder;
    journal = std::make_unique<JournalUnitLog>(std::filesystem::exists(kept) ? kept : "/run/log" + folder);
    return *journal;
  }
  bool send(const std::string& text) const {
    const UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (sockets + "/stdout").c_str(), sizeof address.sun_path - 1);
    if (::connect(stream.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
    return ::write(stream.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  // As systemd hands the unit's name to journald for the output of a service.
  void print(const std::string& unit, const std::string& text) override {
    const std::vector<std::string> before = lines(unit);
    // A process each: journald remembers what unit a process is of.
    const pid_t printer = ::fork();
    if (printer == 0) ::_exit(send("test\n" + unit + "\n6\n0\n0\n0\n0\n" + text) ? 0 : 1);
    int status = 1;
    ::waitpid(printer, &status, 0);
    REQUIRE(status == 0);
    std::vector<std::string> last = before;
    // It is written by another process: until nothing more comes.
    until([&] {
      const std::vector<std::string> now = lines(unit);
      const bool settled = now != before && now == last;
      last = now;
      return settled;
    });
  }
  std::vector<std::string> lines(const std::string& unit) {
    auto found = log().last_lines(unit);
    return found ? *found : std::vector<std::string>{};
  }
};

void for_each_log(const std::function<void(LogRig&)>& run) {
  SECTION("files") {
    FileRig rig;
    run(rig);
  }
  SECTION("journal") {
    if (!JournalRig::available()) {
      WARN("SKIPPED: a journald of our own needs root, systemd-journald and /etc/machine-id");
      return;
    }
    JournalRig rig;
    run(rig);
  }
}

std::vector<std::string> last_of(LogRig& rig, const std::string& unit) {
  auto lines = rig.log().last_lines(unit);
  if (!lines) FAIL(lines.error().message);
  return *lines;
}

}  // namespace

TEST_CASE("unit log contract: the last lines of one unit, oldest first", "[unit_log][contract]") {
  for_each_log([](LogRig& rig) {
    rig.print("a.service", "one\ntwo\n");
    rig.print("b.service", "other\n");
    rig.print("a.service", "three\n");
    CHECK(last_of(rig, "a.service") == std::vector<std::string>{"one", "two", "three"});
    CHECK(last_of(rig, "b.service") == std::vector<std::string>{"other"});
    CHECK(last_of(rig, "c.service").empty());
  });
}

TEST_CASE("unit log contract: not more than twenty lines, none of them long", "[unit_log][contract]") {
  for_each_log([](LogRig& rig) {
    std::string text;
    for (int i = 1; i <= 50; ++i) text += "line " + std::to_string(i) + "\n";
    text += std::string(1000, 'x') + "\n";
    rig.print("a.service", text);
    const std::vector<std::string> lines = last_of(rig, "a.service");
    REQUIRE(lines.size() == k_log_lines);
    CHECK(lines.front() == "line 32");
    CHECK(lines.back() == std::string(k_log_line_bytes - 3, 'x') + "...");
  });
}

TEST_CASE("unit log contract: nothing of a line moves a terminal's cursor", "[unit_log][contract]") {
  for_each_log([](LogRig& rig) {
    rig.print("a.service", "red \x1b[31m\tcaf\xc3\xa9\n");
    CHECK(last_of(rig, "a.service") == std::vector<std::string>{"red \\x1b[31m caf\xc3\xa9"});
  });
}

TEST_CASE("a log that outgrows its limit is kept for one turn, and begins anew", "[unit_log]") {
  TempDir dir;
  const std::string path = dir / "a.service.log";
  std::ofstream writer(path, std::ios::app);
  writer << "old\n" << std::string(2000, 'y') << "\n" << std::flush;
  bound_log(path, 1000);
  CHECK(std::filesystem::file_size(path) == 0);
  CHECK(std::filesystem::file_size(path + ".1") == 1000);
  writer << "new\n" << std::flush;  // who appends goes on at the begin
  CHECK(FileUnitLog(dir.path()).last_lines("a.service").value() == std::vector<std::string>{"new"});
  bound_log(path, 1000);
  CHECK(std::filesystem::file_size(path + ".1") == 1000);
}

TEST_CASE("the end of a log is read for support as it was written, across a turn of the log", "[unit_log]") {
  TempDir dir;
  const FileUnitLog log(dir.path());
  const auto none = log.tail("a.service");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::not_found);
  std::ofstream(dir / "a.service.log.1") << "1\n2 \x1b[31m\n";
  CHECK(log.tail("a.service").value() == "1\n2 \x1b[31m\n");
  std::ofstream(dir / "a.service.log") << "3\n4";
  CHECK(log.tail("a.service").value() == "1\n2 \x1b[31m\n3\n4");
  CHECK(log.tail("a.service", 3).value() == "2 \x1b[31m\n3\n4");
  CHECK(log.tail("a.service", 1).value() == "4");
  std::ofstream(dir / "a.service.log") << std::string(300'000, 'y') << "\nlast\n";
  const std::string longest = log.tail("a.service").value();
  CHECK(longest.size() == 256 * 1024);
  CHECK(longest.ends_with("y\nlast\n"));
}
