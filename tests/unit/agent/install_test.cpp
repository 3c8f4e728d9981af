#include "agent/install/installer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "tests/support/fake_artifact_source.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/archive/tar_text.hpp"

using namespace slipway;
using test::TempDir;

namespace {

struct Fixture {
  TempDir dir;
  test::FakeArtifactSource source;
  Workers workers{1};
  test::IoTest io;
  Installer installer{InstallPaths{dir / "opt", dir / "cache", dir / "proc"}, source, workers};
  WallTime now{Seconds(1'790'000'000)};

  Fixture() { std::filesystem::create_directories(dir / "proc/1"); }
  // A process executes this file; "" takes it away.
  void execute(int pid, const std::string& program) {
    const std::string process = dir / "proc/" + std::to_string(pid);
    std::filesystem::remove_all(process);
    if (program.empty()) return;
    std::filesystem::create_directories(process);
    std::filesystem::create_symlink(program, process + "/exe");
  }
  std::vector<std::string> collect(const std::set<std::string>& wanted = {}) { return io.run(installer.collect(wanted, now)).value(); }
  void touch(const std::string& path, Seconds ago) {
    const timespec time{(now - ago).time_since_epoch().count(), 0};
    const timespec times[] = {time, time};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  ArtifactRef add(const std::string& component, const std::string& version, const std::string& bytes,
                  ArtifactFormat format = ArtifactFormat::file) {
    const std::string digest = sha256_hex(bytes);
    source.bytes[digest] = bytes;
    return {component, version, digest, bytes.size(), format};
  }
  Result<InstallOutcome> ensure(const ArtifactRef& artifact) { return io.run(installer.ensure(artifact)); }
  std::string link(const std::string& component) { return read_link(dir / "opt/" + component + "/current").value(); }
  std::vector<std::string> names(const std::string& component) { return list_dir(dir / "opt/" + component).value(); }
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("install: a single program, and nothing to do the second time") {
  Fixture f;
  const ArtifactRef kubelet = f.add("kubelet", "1.20.2", "ELF kubelet");
  const Result<InstallOutcome> first = f.ensure(kubelet);
  INFO((first ? "" : first.error().message));
  REQUIRE(first);
  CHECK(first->changed);
  CHECK(first->previous.empty());
  CHECK(test::get_file(f.dir / "opt/kubelet/current/kubelet") == "ELF kubelet");
  CHECK(mode_of(f.dir / "opt/kubelet/current/kubelet") == 0755);
  CHECK(f.names("kubelet") == std::vector<std::string>{"1.20.2", "current"});
  CHECK(list_dir(f.dir / "cache").value().empty());

  const std::size_t sent = f.source.sent;
  CHECK_FALSE(f.ensure(kubelet)->changed);
  CHECK(f.source.sent == sent);
}

TEST_CASE("install: an archive with one top folder is lifted, any other is laid down as it is") {
  Fixture f;
  const std::string docker = test::compressed(
      test::tar_text({{"docker/", "", '5'}, {"docker/dockerd", "D", '0', "", 0755}, {"docker/runc", "R", '0', "", 0755}, {"docker/r", "", '2', "runc"}}), "gzip");
  const std::string plugins = test::tar_text({{"./", "", '5'}, {"./bridge", "B", '0', "", 0755}, {"./doc/x", "text"}});
  REQUIRE(f.ensure(f.add("docker", "20.10.24", docker, ArtifactFormat::tar)));
  REQUIRE(f.ensure(f.add("cni-plugins", "1.1.1", plugins, ArtifactFormat::tar)));
  CHECK(test::get_file(f.dir / "opt/docker/current/dockerd") == "D");
  CHECK(test::get_file(f.dir / "opt/docker/current/r") == "R");
  CHECK(test::get_file(f.dir / "opt/cni-plugins/current/bridge") == "B");
  CHECK(test::get_file(f.dir / "opt/cni-plugins/current/doc/x") == "text");
  CHECK(f.link("docker") == "20.10.24");
}

TEST_CASE("install: an upgrade keeps one version to go back to") {
  Fixture f;
  const ArtifactRef one = f.add("kubelet", "1", "one");
  const ArtifactRef two = f.add("kubelet", "2", "two");
  const ArtifactRef three = f.add("kubelet", "3", "three");
  REQUIRE(f.ensure(one));
  CHECK(f.ensure(two)->previous == "1");
  CHECK(f.ensure(three)->previous == "2");
  CHECK(f.names("kubelet") == std::vector<std::string>{"1", "2", "3", "current", "previous"});
  CHECK(f.collect() == std::vector<std::string>{"kubelet 1"});
  CHECK(f.collect().empty());
  CHECK(f.names("kubelet") == std::vector<std::string>{"2", "3", "current", "previous"});
  const std::size_t sent = f.source.sent;
  CHECK(f.ensure(two)->previous == "3");
  CHECK(f.source.sent == sent);
  CHECK(f.link("kubelet") == "2");
  CHECK(f.names("kubelet") == std::vector<std::string>{"2", "3", "current", "previous"});
  CHECK(read_link(f.dir / "opt/kubelet/previous").value() == "3");
}

TEST_CASE("install: what a process executes stays, however old it is") {
  Fixture f;
  for (const char* version : {"1", "2", "3"}) REQUIRE(f.ensure(f.add("docker", version, version)));
  const std::string old = f.dir / "opt/docker/1/docker";
  f.execute(700, "/usr/bin/other");
  f.execute(800, old);
  CHECK(f.collect().empty());
  f.execute(800, old + " (deleted)");
  CHECK(f.collect().empty());
  CHECK(test::get_file(old) == "1");
  // Of another component, and of a name that only begins like it.
  f.execute(800, f.dir / "opt/kubelet/1/kubelet");
  f.execute(801, f.dir / "opt/docker/10/docker");
  CHECK(f.collect() == std::vector<std::string>{"docker 1"});
  CHECK(test::get_file(f.dir / "opt/docker/current/docker") == "3");
}

TEST_CASE("install: who cannot see what runs removes nothing") {
  Fixture f;
  for (const char* version : {"1", "2", "3"}) REQUIRE(f.ensure(f.add("kubelet", version, version)));
  std::filesystem::create_directories(f.dir / "proc/2");
  test::put_file(f.dir / "proc/2/exe", "no link");
  CHECK_FALSE(f.io.run(f.installer.collect({}, f.now)));
  std::filesystem::remove_all(f.dir / "proc");
  CHECK_FALSE(f.io.run(f.installer.collect({}, f.now)));
  CHECK(f.names("kubelet").size() == 5);
}

TEST_CASE("install: downloads that nobody wants any more go after a day, left-overs of a crash at once") {
  Fixture f;
  const ArtifactRef kubelet = f.add("kubelet", "1", "one");
  REQUIRE(f.ensure(kubelet));
  const std::string wanted = f.dir / "cache/" + std::string(64, 'a') + ".part", unwanted = f.dir / "cache/" + std::string(64, 'b') + ".part";
  for (const std::string& part : {wanted, unwanted}) {
    test::put_file(part, "begun");
    f.touch(part, Seconds(86'399));
  }
  std::filesystem::create_directories(f.dir / "opt/kubelet/.tmp-2");
  test::put_file(f.dir / "opt/kubelet/.tmp-2/kubelet", "tw");
  std::filesystem::create_directories(f.dir / "opt/etcd/3");  // of an installation that never came to its end
  CHECK(f.collect({std::string(64, 'a')}) == std::vector<std::string>{"what a crash had left of kubelet"});
  for (const std::string& part : {wanted, unwanted}) f.touch(part, Seconds(86'400));
  CHECK(f.collect({std::string(64, 'a')}).size() == 1);
  CHECK(path_exists(wanted));
  CHECK_FALSE(path_exists(unwanted));
  CHECK(path_exists(f.dir / "opt/etcd/3"));
  CHECK(f.names("kubelet") == std::vector<std::string>{"1", "current"});
}

TEST_CASE("install: bytes that are not the promised ones are never laid down") {
  Fixture f;
  ArtifactRef kubelet = f.add("kubelet", "1.20.2", "good bytes");
  f.source.bytes[kubelet.sha256] = "evil bytes";
  const Result<InstallOutcome> outcome = f.ensure(kubelet);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::corrupt);
  CHECK_THAT(outcome.error().message, Catch::StartsWith("install kubelet 1.20.2: verify: "));
  CHECK(f.names("kubelet").empty());
  CHECK(list_dir(f.dir / "cache").value().empty());
  f.source.bytes[kubelet.sha256] = "good bytes";
  CHECK(f.ensure(kubelet)->changed);
}

TEST_CASE("install: more bytes than promised are refused") {
  Fixture f;
  ArtifactRef kubelet = f.add("kubelet", "1.20.2", "good bytes");
  f.source.bytes[kubelet.sha256] = "good bytes and more";
  CHECK(f.ensure(kubelet).error().code == Errc::corrupt);
  CHECK(f.names("kubelet").empty());
}

TEST_CASE("install: a download that breaks off goes on where it stopped") {
  Fixture f;
  const ArtifactRef kubelet = f.add("kubelet", "1.20.2", std::string(1000, 'k'));
  f.source.stop_after = 600;
  const Result<InstallOutcome> broken = f.ensure(kubelet);
  REQUIRE_FALSE(broken);
  CHECK_THAT(broken.error().message, Catch::StartsWith("install kubelet 1.20.2: download: "));
  CHECK(f.names("kubelet").empty());
  f.source.stop_after = SIZE_MAX;
  CHECK(f.ensure(kubelet)->changed);
  CHECK(f.source.sent == 1000);
}

TEST_CASE("install: a truncated archive with a right digest names component and stage, and leaves nothing") {
  Fixture f;
  const std::string whole = test::compressed(test::tar_text({{"dockerd", std::string(100'000, 'x'), '0', "", 0755}}), "gzip");
  const Result<InstallOutcome> outcome = f.ensure(f.add("docker", "20", whole.substr(0, whole.size() / 2), ArtifactFormat::tar));
  REQUIRE_FALSE(outcome);
  CHECK_THAT(outcome.error().message, Catch::StartsWith("install docker 20: lay down: unpack: "));
  CHECK(f.names("docker").empty());
}

TEST_CASE("install: a link that lifting would lead out is refused") {
  Fixture f;
  const std::string tar = test::tar_text({{"top/f", "x"}, {"top/l", "", '2', "../top/f"}});
  CHECK(f.ensure(f.add("docker", "20", tar, ArtifactFormat::tar)).error().code == Errc::corrupt);
  CHECK(f.names("docker").empty());
}

TEST_CASE("install: states that a kill leaves behind converge") {
  Fixture f;
  const ArtifactRef one = f.add("kubelet", "1", "one");
  const ArtifactRef two = f.add("kubelet", "2", "two");
  REQUIRE(f.ensure(one));
  const std::string root = f.dir / "opt/kubelet";
  SECTION("half unpacked") {
    REQUIRE(make_dirs(root + "/.tmp-2", 0755));
    test::put_file(root + "/.tmp-2/kubelet", "tw");
  }
  SECTION("renamed, not switched") {
    REQUIRE(f.ensure(two));
    REQUIRE(switch_link(root + "/current", "1"));
  }
  SECTION("a version folder without a manifest") {
    REQUIRE(make_dirs(root + "/2", 0755));
    test::put_file(root + "/2/kubelet", "two");
  }
  SECTION("the old folder moved aside, the new one not yet there") {
    std::filesystem::rename(root + "/1", root + "/.tmp-1.old");
  }
  SECTION("a switch in the middle") { REQUIRE(::symlink("2", (root + "/current.tmp-99").c_str()) == 0); }
  SECTION("in place, its part not yet removed") {
    REQUIRE(f.ensure(two));
    test::put_file(f.dir / "cache/" + two.sha256 + ".part", "two");
  }
  SECTION("a part longer than the artifact") { test::put_file(f.dir / "cache/" + two.sha256 + ".part", "twotwotwo"); }
  const Result<InstallOutcome> outcome = f.ensure(two);
  INFO((outcome ? "" : outcome.error().message));
  REQUIRE(outcome);
  CHECK(f.link("kubelet") == "2");
  CHECK(test::get_file(root + "/current/kubelet") == "two");
  for (const std::string& name : f.names("kubelet")) CHECK_THAT(name, !Catch::Contains(".tmp"));
  CHECK(list_dir(f.dir / "cache").value().empty());
}

TEST_CASE("install: a changed program is replaced, a running one never written to") {
  Fixture f;
  const ArtifactRef kubelet = f.add("kubelet", "1", "ELF original");
  REQUIRE(f.ensure(kubelet));
  const std::string program = f.dir / "opt/kubelet/1/kubelet";
  struct stat before {};
  REQUIRE(::stat(program.c_str(), &before) == 0);
  test::put_file(program, "short");
  REQUIRE(f.ensure(kubelet));
  CHECK(test::get_file(program) == "ELF original");
  struct stat after {};
  REQUIRE(::stat(program.c_str(), &after) == 0);
  CHECK(before.st_ino != after.st_ino);
  test::put_file(f.dir / "opt/kubelet/1/extra", "x");
  CHECK(f.ensure(kubelet)->changed);
  CHECK_FALSE(path_exists(f.dir / "opt/kubelet/1/extra"));
}

TEST_CASE("install: a program of the right length with other bytes is not executed, it is installed anew") {
  Fixture f;
  const ArtifactRef kubelet = f.add("kubelet", "1.20.2", "ELF kubelet");
  REQUIRE(f.ensure(kubelet));
  const std::string path = f.dir / "opt/kubelet/current/kubelet";
  test::put_file(path, "ELF KUBELET");
  const auto mended = f.ensure(kubelet);
  REQUIRE(mended);
  CHECK(mended->changed);  // told as drift
  CHECK(test::get_file(path) == "ELF kubelet");
  CHECK(mode_of(path) == 0755);
  const std::size_t sent = f.source.sent;
  REQUIRE(f.ensure(kubelet));  // nothing was written since: nothing is read or fetched
  CHECK(f.source.sent == sent);

  // Nor after a start, which remembers nothing.
  test::put_file(path, "ELF KUBELET");
  Installer after_start{InstallPaths{f.dir / "opt", f.dir / "cache"}, f.source, f.workers};
  REQUIRE(f.io.run(after_start.ensure(kubelet)));
  CHECK(test::get_file(path) == "ELF kubelet");
}

TEST_CASE("install: another artifact under the same version replaces it") {
  Fixture f;
  REQUIRE(f.ensure(f.add("kubelet", "1", "first build")));
  REQUIRE(f.ensure(f.add("kubelet", "1", "second build")));
  CHECK(test::get_file(f.dir / "opt/kubelet/current/kubelet") == "second build");
}

TEST_CASE("install: names that could leave the folder are refused") {
  Fixture f;
  for (const char* bad : {"..", "a/b", "", ".hidden", "current", "a b"}) {
    INFO(bad);
    CHECK(f.ensure(f.add(bad, "1", "x")).error().code == Errc::invalid);
    CHECK(f.ensure(f.add("kubelet", bad, "x")).error().code == Errc::invalid);
  }
  ArtifactRef artifact = f.add("kubelet", "1", "x");
  artifact.sha256 = "../../etc/passwd";
  CHECK(f.ensure(artifact).error().code == Errc::invalid);
  CHECK_FALSE(path_exists(f.dir / "opt"));
}
