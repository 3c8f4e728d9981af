#include "common/archive/unpack.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/files/tree.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/archive/tar_text.hpp"

using namespace slipway;
using test::TarMember;
using test::TempDir;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// Unpacks these members in a folder with a bystander and checks that a refusal leaves only that.
Status try_unpack(const std::vector<TarMember>& members, const UnpackLimits& limits = {}) {
  TempDir dir;
  test::put_file(dir / "a.tar", test::tar_text(members));
  test::put_file(dir / "bystander", "keep");
  Status status = unpack(dir / "a.tar", dir / "out", limits);
  if (!status) {
    CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"a.tar", "bystander"});
    CHECK(status.error().code == Errc::corrupt);
    CHECK_THAT(status.error().message, Catch::Contains(dir / "a.tar"));
  }
  CHECK(test::get_file(dir / "bystander") == "keep");
  return status;
}

}  // namespace

TEST_CASE("archive: every format unpacks to the same tree") {
  const std::string tar = test::tar_text({{"./", "", '5', "", 0700},
                                          {"./bin/", "", '5', "", 02755},
                                          {"./bin/tool", "#!x", '0', "", 0711},
                                          {"share/deep/er/text", std::string(100'000, 't')},
                                          {"bin/alias", "", '2', "tool"},
                                          {"lib", "", '2', "share/deep"},
                                          {"bin/up", "", '2', "../share"},
                                          {"bin/hard", "", '1', "bin/tool"},
                                          {"empty", ""}});
  const std::pair<const char*, std::string> formats[] = {{"a.tar", tar},
                                                         {"a.tar.gz", test::compressed(tar, "gzip")},
                                                         {"a.tar.xz", test::compressed(tar, "xz")},
                                                         {"a.tar.zst", test::compressed(tar, "zstd")}};
  TempDir dir;
  for (const auto& [name, bytes] : formats) {
    INFO(name);
    const std::string out = dir / (std::string(name) + ".out");
    test::put_file(dir / name, bytes);
    const Status done = unpack(dir / name, out);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    CHECK(test::get_file(out + "/bin/tool") == "#!x");
    CHECK(mode_of(out + "/bin/tool") == 0755);
    CHECK(mode_of(out + "/empty") == 0644);
    CHECK(mode_of(out + "/bin") == 0755);
    CHECK(mode_of(out) == 0755);
    CHECK(test::get_file(out + "/share/deep/er/text").size() == 100'000);
    CHECK(read_link(out + "/bin/alias").value() == "tool");
    CHECK(std::filesystem::hard_link_count(out + "/bin/hard") == 2);
  }
}

TEST_CASE("archive: hostile members are refused and nothing stays") {
  const std::pair<const char*, std::vector<TarMember>> rows[] = {
      {"absolute", {{"/etc/passwd", "x"}}},
      {"'..'", {{"../bystander", "x"}}},
      {"'..'", {{"a/../../bystander", "x"}}},
      {"'..'", {{"a/..", "x"}}},
      {"leads out", {{"l", "", '2', "/etc"}}},
      {"leads out", {{"l", "", '2', ".."}}},
      {"leads out", {{"d/l", "", '2', "../../bystander"}}},
      {"leads out", {{"d/l", "", '2', "x/../../.."}}},
      // Harmless by its letters, outside through the first link.
      {"leads out", {{"p/q/r", "", '2', "../.."}, {"p/q/z", "", '2', "r/../bystander"}}},
      {"leads out", {{"l", "", '2', ""}}},
      {"no folder", {{"l", "", '2', "d"}, {"d/", "", '5'}, {"l/f", "x"}}},
      {"no folder", {{"f", "x"}, {"f/g", "x"}}},
      {"twice", {{"f", "x"}, {"f/", "", '5'}}},
      {"twice", {{"f", "x"}, {"./f", "y"}}},
      {"twice", {{"f", "x"}, {"f", "", '2', "g"}}},
      {"twice", {{"d//f", "x"}, {"d/f", "y"}}},
      {"twice", {{"d/f", "x"}, {"d", "y"}}},
      {"hard link", {{"h", "", '1', "nothing"}}},
      {"hard link", {{"l", "", '2', "f"}, {"h", "", '1', "l"}}},
      {"'..'", {{"h", "", '1', "../bystander"}}},
      {"absolute", {{"h", "", '1', "/etc/passwd"}}},
      {"device", {{"n", "", '3'}}},
      {"device", {{"n", "", '4'}}},
      {"FIFO", {{"n", "", '6'}}},
      {"setuid", {{"f", "x", '0', "", 04755}}},
      {"setuid", {{"f", "x", '0', "", 02755}}},
      {"control characters", {{"a\nb", "x"}}},
      {"too deep", {{"1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6", "x"}}},
  };
  for (const auto& [why, members] : rows) {
    INFO(members.back().name << " -> " << members.back().link);
    const Status status = try_unpack(members);
    REQUIRE_FALSE(status);
    CHECK_THAT(status.error().message, Catch::Contains(why));
  }
}

TEST_CASE("archive: limits on members, bytes and ratio") {
  UnpackLimits limits;
  limits.max_entries = 2;
  CHECK(try_unpack({{"a", "x"}, {"b", "x"}}, limits));
  CHECK_THAT(try_unpack({{"a", "x"}, {"b", "x"}, {"c", "x"}}, limits).error().message, Catch::Contains("more than 2 members"));
  limits = {};
  limits.max_bytes = 1000;
  CHECK(try_unpack({{"a", std::string(1000, 'x')}}, limits));
  CHECK_THAT(try_unpack({{"a", std::string(600, 'x')}, {"b", std::string(600, 'x')}}, limits).error().message,
             Catch::Contains("more than 1000 bytes"));
  SECTION("a bomb") {
    TempDir dir;
    // Announces 3 GiB; what it holds does not matter, the announcement alone is refused.
    const std::string bomb = test::tar_header({"bomb", ""}, 3ULL << 30) + std::string(4096, '\0');
    test::put_file(dir / "bomb.tar", bomb);
    const Status status = unpack(dir / "bomb.tar", dir / "out");
    REQUIRE_FALSE(status);
    CHECK_THAT(status.error().message, Catch::Contains("times its size"));
    CHECK_FALSE(list_members(dir / "bomb.tar"));
    CHECK_FALSE(path_exists(dir / "out"));
  }
}

TEST_CASE("archive: truncated and foreign files") {
  const std::string tar = test::tar_text({{"f", std::string(300'000, 'x')}, {"g", "y"}});
  const std::string gz = test::compressed(tar, "gzip");
  TempDir dir;
  const std::pair<const char*, std::string> rows[] = {
      {"cut in a file", tar.substr(0, 200'000)}, {"cut in a header", tar.substr(0, 100)}, {"cut gzip", gz.substr(0, gz.size() / 2)},
      {"text", "no archive at all, only text that is long enough to be looked at"}, {"nothing", ""}, {"zip", std::string("PK\x03\x04") + std::string(600, '\0')},
      {"shell", "#!/bin/sh\necho\n"}};
  for (const auto& [what, bytes] : rows) {
    INFO(what);
    test::put_file(dir / "a", bytes);
    const Status status = unpack(dir / "a", dir / "out");
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Errc::corrupt);
    CHECK_THAT(status.error().message, Catch::Contains(dir / "a"));
    CHECK_FALSE(path_exists(dir / "out"));
  }
  CHECK(unpack(dir / "none", dir / "out").error().code == Errc::not_found);
  CHECK(unpack(dir.path(), dir / "out").error().code == Errc::invalid);
}

TEST_CASE("archive: the folder must be fresh, and a refusal leaves it alone") {
  TempDir dir;
  test::put_file(dir / "a.tar", test::tar_text({{"f", "x"}}));
  std::filesystem::create_directory(dir / "out");
  test::put_file(dir / "out/mine", "keep");
  CHECK(unpack(dir / "a.tar", dir / "out").error().code == Errc::conflict);
  CHECK(test::get_file(dir / "out/mine") == "keep");
}

TEST_CASE("archive: modes do not depend on the umask") {
  TempDir dir;
  test::put_file(dir / "a.tar", test::tar_text({{"d/f", "x", '0', "", 0777}, {"g", "x", '0', "", 0666}}));
  for (const mode_t mask : {0000, 0077}) {
    const mode_t old = ::umask(mask);
    const std::string out = dir / std::to_string(mask);
    const Status done = unpack(dir / "a.tar", out);
    ::umask(old);
    REQUIRE(done);
    CHECK(mode_of(out) == 0755);
    CHECK(mode_of(out + "/d") == 0755);
    CHECK(mode_of(out + "/d/f") == 0755);
    CHECK(mode_of(out + "/g") == 0644);
  }
}

TEST_CASE("archive: members are listed and taken out one by one") {
  TempDir dir;
  test::put_file(dir / "a.tgz", test::compressed(test::tar_text({{"kubernetes/", "", '5'},
                                                                 {"./kubernetes/server/bin/kubelet", "ELF", '0', "", 0755},
                                                                 {"kubernetes/link", "", '2', "server"}}),
                                                 "gzip"));
  const auto members = list_members(dir / "a.tgz").value();
  REQUIRE(members.size() == 3);
  CHECK(members[1].path == "kubernetes/server/bin/kubelet");
  CHECK(members[1].size == 3);
  CHECK(members[1].regular);
  CHECK_FALSE(members[2].regular);

  REQUIRE(extract_member(dir / "a.tgz", "kubernetes/server/bin/kubelet", dir / "kubelet"));
  CHECK(test::get_file(dir / "kubelet") == "ELF");
  CHECK(mode_of(dir / "kubelet") == 0644);
  CHECK(extract_member(dir / "a.tgz", "kubernetes/nothing", dir / "x").error().code == Errc::not_found);
  CHECK_FALSE(extract_member(dir / "a.tgz", "kubernetes/link", dir / "x"));
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"a.tgz", "kubelet"});
}
