// Old versions of programs, with processes that really execute them.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/install/installer.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/tree.hpp"
#include "tests/support/fake_artifact_source.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

// A process that waits for what never comes.
class Child {
 public:
  explicit Child(const std::string& program) {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends_[0], 0);
    char name[] = "program";
    char* const argv[] = {name, nullptr};
    char* const environment[] = {nullptr};
    const int failed = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(failed == 0);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    for (const int fd : ends_) ::close(fd);
  }

 private:
  int ends_[2] = {-1, -1};
  pid_t pid_ = 0;
};

TEST_CASE("a version that a process executes stays until the process ends", "[install]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (what all processes execute)");
    return;
  }
  const TempDir dir;
  FakeArtifactSource source;
  Workers workers{1};
  IoTest io;
  const InstallPaths paths{dir / "opt", dir / "cache"};
  Installer installer{paths, source, workers};
  const std::string cat = get_file("/bin/cat");
  const auto ensure = [&](const std::string& version) {
    // What stands behind the end of a program does not keep it from running.
    const std::string bytes = cat + version;
    source.bytes[sha256_hex(bytes)] = bytes;
    return io.run(installer.ensure({"kubelet", version, sha256_hex(bytes), bytes.size(), ArtifactFormat::file}));
  };
  const auto collect = [&] { return io.run(installer.collect({}, WallTime(Seconds(1'790'000'000)))).value(); };
  REQUIRE(ensure("1.20.1"));
  Child first(paths.current_link("kubelet") + "/kubelet");
  REQUIRE(ensure("1.20.2"));
  Child second(paths.current_link("kubelet") + "/kubelet");
  REQUIRE(ensure("1.20.3"));
  // Restarts wait for leave, and the next version is there already: the first one runs, the second is the way back.
  CHECK(collect().empty());
  second.end();
  CHECK(collect().empty());
  CHECK(get_file(paths.version_dir("kubelet", "1.20.1") + "/kubelet") == cat + "1.20.1");
  first.end();
  CHECK(collect() == std::vector<std::string>{"kubelet 1.20.1"});
  CHECK(list_dir(paths.component_dir("kubelet")).value() == std::vector<std::string>{"1.20.2", "1.20.3", "current", "previous"});
  REQUIRE(ensure("1.20.2"));
  CHECK(collect().empty());
  CHECK(read_link(paths.current_link("kubelet")).value() == "1.20.2");
}

}  // namespace
}  // namespace slipway::test
