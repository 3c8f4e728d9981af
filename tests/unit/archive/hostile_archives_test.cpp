// The corpus of hostile archives: each is refused with its reason and nothing stays, or unpacks to just what it should.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "common/core/unique_fd.hpp"
#include "common/files/tree.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/archive/hostile_corpus.hpp"

using namespace slipway;
using test::HostileArchive;
using test::TempDir;

namespace {

// Immutable or append only; false where the file system has no such flags.
bool has_file_flags(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  int flags = 0;
  return fd && ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0;
}

// Of one thing below `root`: how it is shown in HostileArchive::leaves; what may not be fails the test.
std::string look_at(const std::string& root, const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  CHECK(info.st_uid == ::geteuid());
  CHECK(info.st_gid == ::getegid());
  CHECK(::llistxattr(path.c_str(), nullptr, 0) <= 0);
  if (S_ISLNK(info.st_mode)) {
    const std::string target = read_link(path).value();
    const auto inside = std::filesystem::weakly_canonical(std::filesystem::path(path).parent_path() / target).lexically_relative(std::filesystem::canonical(root));
    CHECK(*inside.begin() != "..");
    return "-> " + target;
  }
  CHECK_FALSE(has_file_flags(path));
  if (S_ISDIR(info.st_mode)) {
    CHECK((info.st_mode & 07777) == 0755);
    return "/";
  }
  REQUIRE(S_ISREG(info.st_mode));
  const mode_t mode = info.st_mode & 07777;
  CHECK((mode == 0644 || mode == 0755));
  return test::get_file(path);
}

std::map<std::string, std::string> look_below(const std::string& root) {
  std::map<std::string, std::string> found;
  struct stat info {};
  REQUIRE(::lstat(root.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0755);
  for (const auto& there : std::filesystem::recursive_directory_iterator(root)) {
    found[there.path().lexically_relative(root).string()] = look_at(root, there.path().string());
  }
  return found;
}

// A folder with a bystander, in which one archive after the other is unpacked.
struct Place {
  TempDir dir{test::memory_folder()};
  Place() { test::put_file(dir / "bystander", "keep"); }
  Status unpack(const std::string& bytes, const UnpackLimits& limits = {}) {
    if (path_exists(dir / "out")) REQUIRE(remove_tree(dir / "out"));
    test::put_file(dir / "a", bytes);
    Status done = slipway::unpack(dir / "a", dir / "out", limits);
    const std::vector<std::string> there = list_dir(dir.path()).value();
    CHECK(there == (done ? std::vector<std::string>{"a", "bystander", "out"} : std::vector<std::string>{"a", "bystander"}));
    CHECK(test::get_file(dir / "bystander") == "keep");
    return done;
  }
};

}  // namespace

TEST_CASE("archive: each of the hostile ones is refused with its reason or does no harm") {
  const std::vector<HostileArchive> corpus = test::hostile_archives();
  CHECK(corpus.size() >= 120);
  Place place;
  std::set<std::string> reasons;
  for (const HostileArchive& one : corpus) {
    INFO(one.name);
    const Status done = place.unpack(one.bytes, one.limits);
    CAPTURE(done);
    // Listing reads the same bytes and must not come to grief over them.
    const auto listed = list_members(place.dir / "a", one.limits);
    if (one.refused.empty()) {
      CHECK(listed);
      CHECK(done);
      if (done) CHECK(look_below(place.dir / "out") == one.leaves);
      continue;
    }
    CHECK_FALSE(done);
    if (done) continue;
    CHECK(done.error().code == Errc::corrupt);
    CHECK_THAT(done.error().message, Catch::Contains(one.refused));
    CHECK_THAT(done.error().message, Catch::Contains(place.dir / "a"));
    for (const char c : done.error().message) CHECK(static_cast<unsigned char>(c) >= 0x20);
    reasons.insert(one.refused);
  }
  CHECK(reasons.size() >= 25);
}

TEST_CASE("archive: cut anywhere it is refused") {
  const std::string whole = test::varied_archive();
  const std::size_t end = test::varied_archive_end();
  Place place;
  REQUIRE(place.unpack(whole));
  const auto all = look_below(place.dir / "out");
  CHECK(all.size() == 11);
  for (std::size_t cut = 0; cut < whole.size(); cut += 128) {
    INFO("cut at " << cut << " of " << whole.size());
    const Status done = place.unpack(whole.substr(0, cut));
    // One whole block of the end is an end.
    CHECK(done.has_value() == (cut >= end + 512));
    if (done) CHECK(look_below(place.dir / "out") == all);
  }
}

TEST_CASE("archive: bent anywhere it is refused or does no harm") {
  const std::string whole = test::varied_archive();
  Place place;
  int refused = 0;
  for (std::size_t at = 0; at < test::varied_archive_end(); at += 7) {
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ (1 << at % 8));
    INFO("bit " << at % 8 << " of byte " << at);
    const Status done = place.unpack(bent);
    refused += !done;
    if (!done) CHECK(done.error().code == Errc::corrupt);
    if (done) CHECK(look_below(place.dir / "out").size() <= 12);
  }
  CHECK(refused > 300);
}
