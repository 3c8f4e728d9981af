// The ProgramCopier port: the same cases against the fake and against the one on the disk.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "agent/host/file_undo.hpp"
#include "agent/install/file_copier.hpp"
#include "agent/install/manifest.hpp"
#include "common/crypto/digest.hpp"
#include "tests/support/fake_copier.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

namespace fs = std::filesystem;

constexpr char k_component[] = "cni-plugins";

struct Rig {
  virtual ~Rig() = default;
  virtual ProgramCopier& copier() = 0;
  virtual void install(
      const std::map<std::string, std::string>& programs) = 0;  // name -> content, as the version in use
  virtual void put_by_somebody(const std::string& name, const std::string& content) = 0;
  virtual std::string folder() = 0;
  std::string path(const std::string& name) { return folder() + "/" + name; }
  // What lies at the name, by its digest; "-": nothing.
  std::string there(const std::string& name) {
    const FilesThere seen = copier().look({path(name)});
    return seen.empty() ? "-" : seen.begin()->second;
  }
};

struct FakeRig final : Rig {
  FakeCopier fake;
  ProgramCopier& copier() override { return fake; }
  void install(const std::map<std::string, std::string>& programs) override {
    fake.installed[k_component].clear();
    for (const auto& [name, content] : programs) fake.installed[k_component][name] = sha256_hex(content);
  }
  void put_by_somebody(const std::string& name, const std::string& content) override {
    fake.files[path(name)] = sha256_hex(content);
  }
  std::string folder() override { return "/opt/cni/bin"; }
};

struct DiskRig final : Rig {
  TempDir dir;
  InstallPaths paths{dir / "slipway", dir / "cache"};
  FileCopier real{paths};
  int versions = 0;
  ProgramCopier& copier() override { return real; }
  void install(const std::map<std::string, std::string>& programs) override {
    const std::string version = std::to_string(++versions);
    const std::string folder = paths.version_dir(k_component, version);
    fs::create_directories(folder + "/doc");
    for (const auto& [name, content] : programs) {
      put_file(folder + "/" + name, content);
      REQUIRE(::chmod((folder + "/" + name).c_str(), 0755) == 0);
    }
    // No programs.
    put_file(folder + "/LICENSE", "text");
    put_file(folder + "/doc/README", "text");
    fs::create_symlink("LICENSE", folder + "/link");
    put_file(paths.manifest(k_component, version),
             to_text(describe_tree(folder, std::string(64, 'a')).value()));
    fs::remove(paths.current_link(k_component));
    fs::create_symlink(version, paths.current_link(k_component));
  }
  void put_by_somebody(const std::string& name, const std::string& content) override {
    fs::create_directories(folder());
    put_file(path(name), content);
  }
  std::string folder() override { return dir / "cni/bin"; }
};

void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("on the disk") {
    DiskRig rig;
    run(rig);
  }
}

}  // namespace

TEST_CASE("copier contract: programs have digests, and what is not installed is not found",
          "[copies][contract]") {
  for_each_rig([](Rig& rig) {
    const auto none = rig.copier().programs(k_component);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::not_found);
    rig.install({{"bridge", "B"}, {"portmap", "P"}});
    const auto programs = rig.copier().programs(k_component);
    REQUIRE(programs);
    CHECK(*programs ==
          std::map<std::string, std::string>{{"bridge", sha256_hex("B")}, {"portmap", sha256_hex("P")}});
  });
}

TEST_CASE("copier contract: put, replaced and removed by their bytes", "[copies][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install({{"bridge", "B"}});
    CHECK(rig.there("bridge") == "-");
    const ProgramCopy one{rig.path("bridge"), sha256_hex("B")};
    REQUIRE(rig.copier().put(k_component, {one, ""}));
    CHECK(rig.there("bridge") == one.sha256);
    rig.install({{"bridge", "B2"}});
    const ProgramCopy two{rig.path("bridge"), sha256_hex("B2")};
    REQUIRE(rig.copier().put(k_component, {two, one.sha256}));
    CHECK(rig.there("bridge") == two.sha256);
    REQUIRE(rig.copier().remove(one));
    CHECK(rig.there("bridge") == two.sha256);
    REQUIRE(rig.copier().remove(two));
    CHECK(rig.there("bridge") == "-");
    REQUIRE(rig.copier().remove(two));
  });
}

TEST_CASE("copier contract: somebody else's file stays, whenever it came", "[copies][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install({{"bridge", "B"}});
    const ProgramCopy copy{rig.path("bridge"), sha256_hex("B")};
    rig.put_by_somebody("bridge", "theirs");
    const Status put = rig.copier().put(k_component, {copy, ""});
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Errc::conflict);
    const Status replaced = rig.copier().put(k_component, {copy, sha256_hex("older")});
    REQUIRE_FALSE(replaced);
    CHECK(replaced.error().code == Errc::conflict);
    REQUIRE(rig.copier().remove(copy));
    CHECK(rig.there("bridge") == sha256_hex("theirs"));
  });
}

TEST_CASE("copier contract: other bytes than the planned ones are not put", "[copies][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install({{"bridge", "B"}});
    const Status put = rig.copier().put(k_component, {{rig.path("bridge"), sha256_hex("other")}, ""});
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Errc::corrupt);
    CHECK(rig.there("bridge") == "-");
  });
}

TEST_CASE(
    "copies on the disk can be executed, links and folders are nobody's to take, and a rewritten file is "
    "read again",
    "[copies]") {
  DiskRig rig;
  rig.install({{"bridge", "B"}});
  const ProgramCopy copy{rig.path("bridge"), sha256_hex("B")};
  REQUIRE(rig.copier().put(k_component, {copy, ""}));
  CHECK((fs::status(copy.path).permissions() & fs::perms::all) == fs::perms(0755));
  CHECK(rig.there("bridge") == copy.sha256);
  put_file(copy.path, "X");
  CHECK(rig.there("bridge") == sha256_hex("X"));
  fs::remove(copy.path);
  fs::create_symlink("/nowhere", copy.path);
  CHECK(rig.there("bridge").empty());
  CHECK_FALSE(rig.copier().put(k_component, {copy, ""}));
  CHECK(fs::is_symlink(copy.path));
  fs::remove(copy.path);
  fs::create_directory(copy.path);
  CHECK(rig.there("bridge").empty());
  CHECK_FALSE(rig.copier().put(k_component, {copy, ""}));
  CHECK(fs::is_directory(copy.path));
}

TEST_CASE("a reset sees and removes a copy only while its bytes are ours", "[copies][reset]") {
  DiskRig rig;
  rig.install({{"bridge", "B"}});
  const ProgramCopy copy{rig.path("bridge"), sha256_hex("B")};
  REQUIRE(rig.copier().put(k_component, {copy, ""}));
  const FileUndo undo(rig.dir / "kept");
  const Change change{ChangeKind::copy, entry_name(copy)};
  const ResetStep step{ResetAction::remove_copy, copy.path, "", change};
  CHECK(undo.look(change).there);
  put_file(copy.path, "theirs");
  CHECK_FALSE(undo.look(change).there);
  REQUIRE(undo.undo(step));  // it was changed after the look
  CHECK(get_file(copy.path) == "theirs");
  put_file(copy.path, "B");
  put_file(rig.path(".bridge.tmp-1-0"), "half");
  CHECK(undo.look(change).temporary == std::vector<std::string>{".bridge.tmp-1-0"});
  REQUIRE(undo.undo(step));
  CHECK_FALSE(fs::exists(copy.path));
  CHECK_FALSE(undo.look(change).there);
}
