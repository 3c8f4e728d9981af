#include "agent/store/file_node_store.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using test::TempDir;

namespace {

std::unique_ptr<FileNodeStore> open(const TempDir& dir) { return FileNodeStore::open(dir / "agent").value(); }

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::string key_in_use(FileNodeStore& store, const std::string& usage) {
  auto pair = store.pair(usage);
  return *pair ? std::string((**pair).key_pem.reveal()) + "/" + (**pair).chain_pem : "none";
}

}  // namespace

TEST_CASE("node store: what is saved comes back after a restart") {
  TempDir dir;
  const NodeIdentity identity{"demo", "id", "n1", "uid", 3, "node", "10.77.0.11", "10.10.1.0/24"};
  const StoredDesired desired{"e1", 42, "{\"a\": \"\\u00fc\"}\n", {"e0", "e-1"}};
  {
    auto store = open(dir);
    CHECK_FALSE(store->identity().value());
    CHECK_FALSE(store->desired().value());
    REQUIRE(store->save_identity(identity));
    REQUIRE(store->save_desired(desired));
    REQUIRE(store->save_ca_bundle("kubeClient", "PEM"));
  }
  auto store = open(dir);
  CHECK(store->identity().value() == identity);
  CHECK(store->desired().value() == desired);
  CHECK(read_stored_desired(dir / "agent").value() == desired);
  CHECK(store->ca_bundle("kubeClient").value() == "PEM");
  CHECK_FALSE(store->ca_bundle("etcd").value());
  CHECK(mode_of(dir / "agent") == 0700);
  CHECK(mode_of(dir / "agent/node.json") == 0600);
  CHECK(mode_of(dir / "agent/desired.json") == 0600);
}

TEST_CASE("node store: changes go behind the whole state, and with the next whole state away") {
  TempDir dir;
  const StoredDesired desired{"e1", 42, "{}", {"e0"}};
  const std::string log = dir / "agent/desired.log";
  {
    auto store = open(dir);
    REQUIRE(store->save_desired(desired));
    REQUIRE(store->append_delta("{\"from\":42}"));
    REQUIRE(store->append_delta("{\"from\":43}"));
  }
  auto store = open(dir);
  using Deltas = std::vector<std::string>;
  CHECK(store->desired().value()->deltas == Deltas{"{\"from\":42}", "{\"from\":43}"});
  CHECK(store->desired().value()->json == "{}");
  CHECK(mode_of(log) == 0600);
  // A crash in the middle of a line: what stood before and what comes after count.
  const std::string text = test::get_file(log);
  for (std::size_t cut = 1; cut < 30; ++cut) {
    INFO(cut);
    test::put_file(log, text.substr(0, text.size() - cut));
    REQUIRE(store->append_delta("{\"from\":44}"));
    const Deltas deltas = store->desired().value()->deltas;
    CHECK(deltas.front() == "{\"from\":42}");
    CHECK(deltas.back() == "{\"from\":44}");
    CHECK(deltas.size() == (cut == 1 ? 3 : 2));  // the last line feed is no part of it
  }
  std::string bad = text;
  bad[bad.find("43")] = '9';
  test::put_file(log, bad);
  CHECK(store->desired().value()->deltas == Deltas{"{\"from\":42}"});
  REQUIRE(store->save_desired(desired));
  CHECK(store->desired().value()->deltas.empty());
  CHECK_FALSE(std::filesystem::exists(log));
}

TEST_CASE("node store: a damaged file is an error with a cure, not a node that never joined") {
  TempDir dir;
  auto store = open(dir);
  for (const char* text : {"", "{", "[]", "{}"}) {
    test::put_file(dir / "agent/node.json", text);
    const auto identity = store->identity();
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == Errc::corrupt);
  }
}

TEST_CASE("node store: a key is pending until its certificate comes, then both change together") {
  TempDir dir;
  auto store = open(dir);
  CHECK_FALSE(store->pending_key("agent").value());
  CHECK_FALSE(store->pair("agent").value());
  CHECK(store->activate("agent", "CERT").error().code == Errc::not_found);
  REQUIRE(store->save_pending_key("agent", Secret("KEY1")));
  CHECK((*store->pending_key("agent"))->reveal() == "KEY1");
  REQUIRE(store->activate("agent", "CERT1"));
  CHECK_FALSE(store->pending_key("agent").value());
  CHECK(key_in_use(*store, "agent") == "KEY1/CERT1");
  const std::string key_path = store->key_path("agent");
  CHECK(test::get_file(key_path) == "KEY1");

  REQUIRE(store->save_pending_key("agent", Secret("KEY2")));
  CHECK(key_in_use(*store, "agent") == "KEY1/CERT1");
  REQUIRE(store->activate("agent", "CERT2"));
  CHECK(test::get_file(key_path) == "KEY2");
  CHECK(test::get_file(store->chain_path("agent")) == "CERT2");
  CHECK(mode_of(key_path) == 0600);
  CHECK(mode_of(dir / "agent/pki/agent") == 0700);
  CHECK(list_dir(dir / "agent/pki/agent").value() == std::vector<std::string>{"2", "current"});
}

TEST_CASE("node store: states that a kill leaves behind") {
  TempDir dir;
  {
    auto store = open(dir);
    REQUIRE(store->save_pending_key("agent", Secret("KEY1")));
    REQUIRE(store->activate("agent", "CERT1"));
    REQUIRE(store->save_pending_key("agent", Secret("KEY2")));
  }
  const std::string pki = dir / "agent/pki/agent";
  SECTION("generation half written") {
    REQUIRE(make_dirs(pki + "/2", 0700));
    test::put_file(pki + "/2/key.pem", "KE");
    auto store = open(dir);
    CHECK(key_in_use(*store, "agent") == "KEY1/CERT1");
    CHECK((*store->pending_key("agent"))->reveal() == "KEY2");
    REQUIRE(store->activate("agent", "CERT2"));
    CHECK(key_in_use(*store, "agent") == "KEY2/CERT2");
  }
  SECTION("switched, the pending key still there") {
    REQUIRE(open(dir)->activate("agent", "CERT2"));
    REQUIRE(write_file_atomically(pki + "/pending.key", "KEY2", 0600));
    auto store = open(dir);
    CHECK(key_in_use(*store, "agent") == "KEY2/CERT2");
    CHECK_FALSE(store->pending_key("agent").value());
  }
  SECTION("temporary files") {
    test::put_file(pki + "/.pending.key.tmp-1-1", "KE");
    auto store = open(dir);
    CHECK(list_dir(pki).value() == std::vector<std::string>{"1", "current", "pending.key"});
  }
}

TEST_CASE("node store: keys that others can read are refused, names cannot leave the folder") {
  TempDir dir;
  auto store = open(dir);
  REQUIRE(store->save_pending_key("agent", Secret("KEY")));
  std::filesystem::permissions(dir / "agent/pki/agent/pending.key", std::filesystem::perms(0644));
  CHECK(store->pending_key("agent").error().code == Errc::denied);
  for (const char* bad : {"..", "a/b", "", "."}) {
    CHECK(store->save_pending_key(bad, Secret("KEY")).error().code == Errc::invalid);
    CHECK(store->save_ca_bundle(bad, "PEM").error().code == Errc::invalid);
  }
}

TEST_CASE("node store: forgetting leaves a host that never joined") {
  TempDir dir;
  auto store = open(dir);
  REQUIRE(store->save_identity({"demo", "id", "n1", "uid", 1, "node", "", ""}));
  REQUIRE(store->save_pending_key("agent", Secret("KEY")));
  REQUIRE(store->activate("agent", "CERT"));
  REQUIRE(store->forget());
  CHECK_FALSE(store->identity().value());
  CHECK_FALSE(store->pair("agent").value());
  REQUIRE(store->save_pending_key("agent", Secret("KEY")));
}
