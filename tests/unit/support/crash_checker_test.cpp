// The judge of the crash tests is judged first: a clean history passes, and a bug of each kind is caught under the right rule.
#include "tests/support/crash_checker.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace slipway::test {
namespace {

constexpr std::int64_t k_quarantine_ms = 600'000;

std::map<std::string, std::string> certificates_of(const std::string& name) {
  return {{name + "-serial-1", name + "-sha-1"}, {name + "-serial-2", name + "-sha-2"}};
}

LedgerEntry entry(LedgerEvent event, const std::string& name, std::int64_t at_ms = 0) {
  LedgerEntry out;
  out.event = event;
  out.at_ms = at_ms;
  out.node = name;
  out.token = "token";
  out.identity = name + "-key";
  return out;
}

// Histories and stores that fit each other, to be broken by each test.
struct World {
  CrashChecker checker{k_quarantine_ms};
  StoreImage image;

  World() { image.tokens.push_back({"token", 0, 10}); }

  void store(const std::string& name, const std::string& block) {
    image.nodes.push_back({name, name + "-uid", block, "token", name + "-key", {}});
    for (const auto& [serial, sha256] : certificates_of(name)) {
      image.nodes.back().serials.push_back(serial);
      image.certificates.push_back({serial, name + "-uid", sha256, sha256});
    }
    ++image.tokens[0].uses;
  }
  LedgerEntry ack(const std::string& name, const std::string& block, std::int64_t at_ms = 0) {
    LedgerEntry out = entry(LedgerEvent::join_acked, name, at_ms);
    out.uid = name + "-uid";
    out.pod_cidr = block;
    out.certificates = certificates_of(name);
    return out;
  }
  void send(const std::string& name) { checker.note(entry(LedgerEvent::join_sent, name)); }
  void join(const std::string& name, const std::string& block, std::int64_t at_ms = 0) {
    send(name);
    checker.note(ack(name, block, at_ms));
    store(name, block);
  }
  void remove_from_store(const std::string& name) {
    std::erase_if(image.nodes, [&](const auto& node) { return node.name == name; });
  }
  void remove(const std::string& name, const std::string& block, std::int64_t at_ms) {
    checker.note(entry(LedgerEvent::delete_sent, name, at_ms));
    checker.note(entry(LedgerEvent::delete_acked, name, at_ms));
    remove_from_store(name);
    image.quarantined.push_back({block, name + "-uid"});
  }
  std::vector<std::string> check(std::int64_t at_ms = 1) { return checker.check(image, at_ms); }
};

void expect(World& world, const std::string& rule, std::int64_t at_ms = 1) {
  const auto found = world.check(at_ms);
  const bool caught = std::any_of(found.begin(), found.end(), [&](const std::string& text) { return text.starts_with(rule + ":"); });
  INFO((found.empty() ? "nothing was found" : found.front()));
  CHECK(caught);
}

TEST_CASE("a history without faults passes", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  world.join("b", "10.0.1.0/24");
  world.remove("b", "10.0.1.0/24", 5);
  CHECK(world.check(6).empty());
  // Unanswered at the crash: there or not, both are right.
  world.send("c");
  CHECK(world.checker.on_its_way() == 1);
  CHECK(world.check(6).empty());
  world.store("c", "10.0.2.0/24");
  CHECK(world.check(6).empty());
  world.checker.note(world.ack("c", "10.0.2.0/24"));
  CHECK(world.check(6).empty());
  CHECK(world.checker.on_its_way() == 0);
  // A refusal leaves nothing behind.
  world.send("d");
  world.checker.note(entry(LedgerEvent::join_refused, "d"));
  CHECK(world.check(6).empty());
  // After its quarantine a block is anybody's.
  world.image.quarantined.clear();
  world.join("e", "10.0.1.0/24", 5 + k_quarantine_ms);
  CHECK(world.check(5 + k_quarantine_ms).empty());
}

TEST_CASE("what was acknowledged and is lost or changed is caught", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  world.join("b", "10.0.1.0/24");
  SECTION("the node is gone") {
    world.remove_from_store("a");
    expect(world, "I1");
  }
  SECTION("its block is another one") {
    world.image.nodes[0].pod_cidr = "10.0.9.0/24";
    expect(world, "I1");
  }
  SECTION("it is another registration") {
    world.image.nodes[0].uid = "b-uid-2";
    expect(world, "I1");
  }
  SECTION("a removed node is there again") {
    world.remove("b", "10.0.1.0/24", 2);
    world.image.quarantined.clear();
    world.store("b", "10.0.1.0/24");
    expect(world, "I1", 3);
  }
}

TEST_CASE("a block that two nodes have is caught", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  SECTION("in the store") {
    world.join("b", "10.0.1.0/24");
    world.check();
    world.send("c");
    world.store("c", "10.0.1.0/24");
    expect(world, "I2");
  }
  SECTION("as a part of a larger one") {
    world.send("c");
    world.store("c", "10.0.0.0/16");
    expect(world, "I2");
  }
  SECTION("in two answers") {
    world.send("b");
    world.checker.note(world.ack("b", "10.0.0.0/24"));
    expect(world, "I2");
  }
  SECTION("given away before its quarantine was over") {
    world.remove("a", "10.0.0.0/24", 10);
    world.image.quarantined.clear();
    world.join("b", "10.0.0.0/24", 10 + k_quarantine_ms - 1);
    expect(world, "I2", 10 + k_quarantine_ms);
  }
  SECTION("free at once after a removal") {
    world.remove("a", "10.0.0.0/24", 10);
    world.image.quarantined.clear();
    expect(world, "I2", 11);
  }
}

TEST_CASE("one key with two answers is caught", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  SECTION("two blocks told") {
    world.send("a");
    LedgerEntry second = world.ack("a", "10.0.1.0/24");
    second.certificates.clear();
    world.checker.note(second);
    expect(world, "I3");
  }
  SECTION("two nodes stored") {
    world.image.nodes.push_back(world.image.nodes[0]);
    world.image.nodes.back().pod_cidr = "10.0.1.0/24";
    world.image.nodes.back().name = "a2";
    world.image.nodes.back().uid = "a2-uid";
    expect(world, "I3");
  }
}

TEST_CASE("what nobody asked for is caught", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  SECTION("a node") {
    world.store("ghost", "10.0.1.0/24");
    expect(world, "I4");
  }
  SECTION("a node that was refused") {
    world.send("b");
    world.checker.note(entry(LedgerEvent::join_refused, "b"));
    world.store("b", "10.0.1.0/24");
    expect(world, "I5");
  }
  SECTION("a block in quarantine") {
    world.image.quarantined.push_back({"10.0.3.0/24", "a-uid"});
    expect(world, "I4");
  }
}

TEST_CASE("certificates without a record, and records without an owner, are caught", "[crash_checker]") {
  World world;
  world.join("a", "10.0.0.0/24");
  SECTION("in nobody's ledger") {
    world.image.certificates.push_back({"stray", "stray-uid", "x", "x"});
    expect(world, "I5");
  }
  SECTION("not recorded") {
    world.image.certificates.erase(world.image.certificates.begin());
    expect(world, "I5");
  }
  SECTION("recorded without its text") {
    world.image.certificates[0].text_sha256.clear();
    expect(world, "I5");
  }
  SECTION("recorded with another text") {
    world.image.certificates[0].text_sha256 = "other";
    expect(world, "I5");
  }
  SECTION("one serial in two certificates") {
    world.send("b");
    LedgerEntry second = world.ack("b", "10.0.1.0/24");
    second.certificates = {{"a-serial-1", "b-sha"}};
    world.checker.note(second);
    expect(world, "I5");
  }
}

TEST_CASE("a token used too often, or counted wrongly, is caught", "[crash_checker]") {
  World world;
  world.image.tokens[0].max_uses = 1;
  world.join("a", "10.0.0.0/24");
  CHECK(world.check().empty());
  SECTION("two nodes by a token for one") {
    world.join("b", "10.0.1.0/24");
    expect(world, "I5");
  }
  SECTION("the same, and the count hides it") {
    world.join("b", "10.0.1.0/24");
    world.image.tokens[0].uses = 1;
    expect(world, "I5");
  }
  SECTION("a use that admitted nobody") {
    world.image.tokens[0].max_uses = 5;
    world.image.tokens[0].uses = 2;
    expect(world, "I5");
  }
}

TEST_CASE("an answer after a failed write is caught", "[crash_checker]") {
  World world;
  const LedgerEntry failed = entry(LedgerEvent::write_failed, "");
  SECTION("to what was sent later") {
    world.checker.note(failed);
    world.join("a", "10.0.0.0/24");
    expect(world, "I6");
  }
  SECTION("to a removal that was sent later") {
    world.join("a", "10.0.0.0/24");
    world.checker.note(failed);
    world.remove("a", "10.0.0.0/24", 0);
    expect(world, "I6");
  }
  SECTION("not what was on its way") {
    world.send("a");
    world.checker.note(failed);
    world.checker.note(world.ack("a", "10.0.0.0/24"));
    world.store("a", "10.0.0.0/24");
    CHECK(world.check().empty());
  }
  SECTION("not what the next life answers") {
    world.checker.note(failed);
    world.send("a");
    world.checker.note(entry(LedgerEvent::crashed, ""));
    world.checker.note(world.ack("a", "10.0.0.0/24"));
    world.store("a", "10.0.0.0/24");
    CHECK(world.check().empty());
  }
}

TEST_CASE("a ledger line comes back as it was", "[crash_checker]") {
  World world;
  for (const LedgerEntry& original : {world.ack("a", "10.0.0.0/24", 17), entry(LedgerEvent::crashed, "", 3)}) {
    const auto read = parse_ledger_line(ledger_line(original));
    REQUIRE(read);
    CHECK(*read == original);
  }
  CHECK(!parse_ledger_line("join-acked\t1\ta"));
  CHECK(!parse_ledger_line("nonsense\t1\t\t\t\t\t\t"));
}

}  // namespace
}  // namespace slipway::test
