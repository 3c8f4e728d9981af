#include "common/files/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "common/files/tree.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using test::TempDir;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

class Umask {
 public:
  explicit Umask(mode_t mask) : old_(::umask(mask)) {}
  ~Umask() { ::umask(old_); }

 private:
  mode_t old_;
};

// Makes writes beyond `bytes` fail with EFBIG, as a full disk fails them with ENOSPC.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("files: modes are exact whatever the umask") {
  TempDir dir;
  for (const mode_t mask : {0000, 0022, 0077}) {
    Umask umask(mask);
    for (const mode_t mode : {0600, 0640, 0644, 0755}) {
      const std::string path = dir / std::to_string(mask) + std::to_string(mode);
      REQUIRE(write_file_atomically(path, "x", mode));
      CHECK(mode_of(path) == mode);
    }
    const std::string folder = dir / std::to_string(mask) + "a/b";
    REQUIRE(make_dirs(folder, 0750));
    CHECK(mode_of(folder) == 0750);
    CHECK(mode_of(parent_path(folder)) == 0750);
  }
}

TEST_CASE("files: a write replaces the whole file and leaves nothing else") {
  TempDir dir;
  const std::string path = dir / "f";
  REQUIRE(write_file_atomically(path, "a long first content", 0644));
  REQUIRE(write_file_atomically(path, "short", 0600));
  CHECK(test::get_file(path) == "short");
  CHECK(mode_of(path) == 0600);
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"f"});
}

TEST_CASE("files: a write that fails leaves the old file and no temporary one") {
  TempDir dir;
  const std::string path = dir / "f";
  REQUIRE(write_file_atomically(path, "old", 0644));
  Status status;
  {
    FileSizeLimit limit(10);
    status = write_file_atomically(path, "longer than ten bytes", 0644);
  }
  REQUIRE_FALSE(status);
  CHECK_THAT(status.error().message, Catch::Contains("write "));
  CHECK(test::get_file(path) == "old");
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"f"});
}

// The id of a process that is no more.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  return child;
}

TEST_CASE("files: what a killed writer left is removed by the next one, what a living one has is not") {
  const TempDir dir;
  const std::string dead = std::to_string(dead_process());
  const std::string living = std::to_string(::getppid());
  for (const std::string& name : {".a.tmp-" + dead + "-7", ".a.tmp-" + living + "-7", ".ab.tmp-" + dead + "-7", ".a.tmp-" + std::string("x")})
    test::put_file(dir / name, "left");
  REQUIRE(write_file_atomically(dir / "a", "new", 0600));
  CHECK(list_dir(dir.path()).value() ==
        std::vector<std::string>{".a.tmp-" + living + "-7", ".a.tmp-x", ".ab.tmp-" + dead + "-7", "a"});
  REQUIRE(::symlink("1", (dir / "link.tmp-" + dead).c_str()) == 0);
  REQUIRE(switch_link(dir / "link", "2"));
  CHECK_FALSE(path_exists(dir / "link.tmp-" + dead));
}

TEST_CASE("files: a folder whose making was killed before it had its mode gets it") {
  const TempDir dir;
  const Umask narrow(0077);
  REQUIRE(::mkdir((dir / "half").c_str(), 0) == 0);
  REQUIRE(make_dirs(dir / "half/whole", 0755));
  CHECK(mode_of(dir / "half") == 0755);
  CHECK(mode_of(dir / "half/whole") == 0755);
  REQUIRE(make_dirs(dir / "half", 0700));
  CHECK(mode_of(dir / "half") == 0755);
}

TEST_CASE("files: a folder in the way is an error, the folder stays") {
  TempDir dir;
  REQUIRE(make_dirs(dir / "f", 0755));
  CHECK_FALSE(write_file_atomically(dir / "f", "x", 0644));
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"f"});
}

TEST_CASE("files: a link at the path is replaced, what it leads to is not touched") {
  TempDir dir;
  test::put_file(dir / "precious", "keep");
  REQUIRE(::symlink("precious", (dir / "f").c_str()) == 0);
  REQUIRE(write_file_atomically(dir / "f", "new", 0644));
  CHECK(test::get_file(dir / "precious") == "keep");
  CHECK(test::get_file(dir / "f") == "new");
}

TEST_CASE("files: a new file takes a free name only, and leaves nothing beside it") {
  const test::TempDir dir;
  const std::string path = dir / "program";
  REQUIRE(write_new_file(path, "ours", 0755));
  CHECK(test::get_file(path) == "ours");
  const Status again = write_new_file(path, "other", 0755);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(test::get_file(path) == "ours");
  REQUIRE(::symlink("nowhere", (dir / "link").c_str()) == 0);
  const Status link = write_new_file(dir / "link", "other", 0755);
  REQUIRE_FALSE(link);
  CHECK(link.error().code == Errc::conflict);
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"link", "program"});
}

TEST_CASE("files: written only when content, mode or owner differ") {
  TempDir dir;
  const std::string path = dir / "f";
  CHECK(write_file_if_changed(path, "a", 0644).value());
  CHECK_FALSE(write_file_if_changed(path, "a", 0644).value());
  CHECK(write_file_if_changed(path, "b", 0644).value());
  CHECK(write_file_if_changed(path, "b", 0600).value());
  CHECK_FALSE(write_file_if_changed(path, "b", 0600, FileOwner{::getuid(), ::getgid()}).value());
  if (::getuid() == 0) {
    CHECK(write_file_if_changed(path, "b", 0600, FileOwner{12345, 12345}).value());
    CHECK_FALSE(write_file_if_changed(path, "b", 0600, FileOwner{12345, 12345}).value());
    CHECK(mode_of(path) == 0600);
  }
  REQUIRE(::symlink("f", (dir / "link").c_str()) == 0);
  CHECK(write_file_if_changed(dir / "link", "b", 0600).value());  // a link is not the file asked for
}

TEST_CASE("files: reading has a limit and wants a regular file") {
  TempDir dir;
  test::put_file(dir / "f", "12345");
  CHECK(read_file(dir / "f", 5).value() == "12345");
  CHECK(read_file(dir / "f", 4).error().code == Errc::invalid);
  CHECK(read_file(dir / "none", 4).error().code == Errc::not_found);
  CHECK(read_file(dir.path(), 4).error().code == Errc::invalid);
  CHECK(read_file("/dev/zero", 4).error().code == Errc::invalid);
  test::put_file(dir / "empty", "");
  CHECK(read_file(dir / "empty", 0).value().empty());
}

TEST_CASE("files: /proc files, which say they are empty, are read whole") {
  CHECK_FALSE(read_file("/proc/self/stat", 4096).value().empty());
}

TEST_CASE("files: secrets that others can reach are refused with the cure") {
  TempDir dir;
  const std::string path = dir / "token";
  REQUIRE(write_file_atomically(path, "secret", 0600));
  CHECK(read_secret_file(path, 100).value().reveal() == "secret");
  for (const mode_t mode : {0640, 0604, 0620, 0602}) {
    REQUIRE(write_file_atomically(path, "secret", mode));
    const Result<Secret> secret = read_secret_file(path, 100);
    REQUIRE_FALSE(secret);
    CHECK(secret.error().code == Errc::denied);
    CHECK_THAT(secret.error().message, Catch::Contains("chmod 600 " + path));
  }
}

TEST_CASE("files: removing is idempotent") {
  TempDir dir;
  test::put_file(dir / "f", "x");
  CHECK(remove_file(dir / "f"));
  CHECK(remove_file(dir / "f"));
  CHECK_FALSE(path_exists(dir / "f"));
}

TEST_CASE("files: make_dirs refuses what is no folder and a link that leads nowhere") {
  TempDir dir;
  test::put_file(dir / "f", "x");
  CHECK(make_dirs(dir / "f", 0755).error().code == Errc::conflict);
  CHECK_FALSE(make_dirs(dir / "f/below", 0755));
  REQUIRE(::symlink("nowhere", (dir / "link").c_str()) == 0);
  CHECK_FALSE(make_dirs(dir / "link", 0755));
}

TEST_CASE("a folder of secrets is made private again, and no other", "[files]") {
  const TempDir dir;
  const std::string path = dir / "a/keys";
  REQUIRE(make_private_dirs(path).value() == false);
  CHECK(mode_of(path) == 0700);
  CHECK(make_private_dirs(path).value() == false);
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  REQUIRE(::chmod((dir / "a").c_str(), 0755) == 0);
  CHECK(make_private_dirs(path).value() == true);
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(dir / "a") == 0755);
  // Stricter than asked for is somebody's wish.
  REQUIRE(::chmod(path.c_str(), 0500) == 0);
  CHECK(make_private_dirs(path).value() == false);
  CHECK(mode_of(path) == 0500);
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
  test::put_file(dir / "file", "x");
  CHECK_FALSE(make_private_dirs(dir / "file"));
}

TEST_CASE("the mode of a file is kept, through no link", "[files]") {
  const TempDir dir;
  const std::string path = dir / "key";
  CHECK(keep_mode(path, 0600).error().code == Errc::not_found);
  test::put_file(path, "x");
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK(keep_mode(path, 0600).value() == true);
  CHECK(mode_of(path) == 0600);
  CHECK(keep_mode(path, 0600).value() == false);
  REQUIRE(::symlink(path.c_str(), (dir / "link").c_str()) == 0);
  CHECK(keep_mode(dir / "link", 0644).error().code == Errc::invalid);
  CHECK(keep_mode(dir.path(), 0644).error().code == Errc::invalid);
  CHECK(mode_of(path) == 0600);
  if (::geteuid() != 0) return;
  REQUIRE(::chown(path.c_str(), 1, 1) == 0);
  CHECK(keep_mode(path, 0600).value() == true);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK(info.st_uid == 0);
  CHECK(info.st_gid == 0);
}
