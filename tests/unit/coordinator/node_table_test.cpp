#include "coordinator/domain/node_table.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;

Node node_of(const std::string& name, const std::string& uid, std::uint32_t host, const std::string& machine_id = "") {
  Node node;
  node.name = name;
  node.uid = uid;
  node.address = IpAddress::v4(0x0a4d0000U + host);
  node.machine_id = machine_id;
  return node;
}

TEST_CASE("hex texts are packed and come back, anything else is nothing", "[nodes]") {
  CHECK(PackedSerial("00ff10").hex() == "00ff10");
  CHECK(PackedSerial("00ff10").bytes() == std::string_view("\0\xff\x10", 3));
  CHECK(PackedSerial(std::string(40, 'f')).hex() == std::string(40, 'f'));
  for (const std::string text : {"", "0", "0g", "AA", "aa ", " aa", "a:b", "\xff\xff"}) CHECK(PackedSerial(text).empty());
  CHECK(PackedSerial(std::string(42, 'a')).empty());
  CHECK(PackedSerial("0g") == PackedSerial());
  CHECK(PackedSerial("00") != PackedSerial("0000"));
  CHECK(PackedSerial("aa") == "aa");
  CHECK(PackedSerial("aa") != "AA");
  CHECK(PackedSerial() == "");
  CHECK(PackedSerial() != "zz");
  CHECK(KeyDigest::of_bytes(std::string(32, 'x')).hex().size() == 64);
  CHECK(KeyDigest::of_bytes(std::string(33, 'x')).empty());
}

TEST_CASE("a node has one serial for each usage, in the usages' order", "[nodes]") {
  NodeSerials serials;
  CHECK(serials.find(CertUsage::agent) == nullptr);
  serials.set(CertUsage::kube_proxy, PackedSerial("03"));
  serials.set(CertUsage::agent, PackedSerial("01"));
  serials.set(CertUsage::kubelet_client, PackedSerial("02"));
  serials.set(CertUsage::agent, PackedSerial("11"));
  std::string all;
  for (const auto& [usage, serial] : serials) all += serial.hex() + " ";
  CHECK(all == "11 02 03 ");
  CHECK(*serials.find(CertUsage::kube_proxy) == "03");
  NodeSerials others;
  for (const auto& [usage, serial] : serials) others.set(usage, serial);
  CHECK(others == serials);
}

TEST_CASE("nodes are found by what is theirs now", "[nodes]") {
  NodeTable table;
  table.put(node_of("a", "uid-a", 1, "machine-a"), 1);
  table.put(node_of("b", "uid-b", 2), 1);
  CHECK(table.by_uid("uid-a") == table.find("a"));
  CHECK(table.by_address(IpAddress::v4(0x0a4d0002U)) == table.find("b"));
  CHECK(table.by_machine_id("machine-a") == table.find("a"));
  CHECK(table.by_machine_id("") == nullptr);
  table.put(node_of("a", "uid-a2", 3, "machine-a2"), 1);
  CHECK(table.by_uid("uid-a") == nullptr);
  CHECK(table.by_machine_id("machine-a") == nullptr);
  CHECK(table.by_address(IpAddress::v4(0x0a4d0001U)) == nullptr);
  CHECK(table.by_uid("uid-a2")->name == "a");
  table.erase("a", 1);
  table.erase("a", 1);
  CHECK(table.find("a") == nullptr);
  CHECK(table.by_uid("uid-a2") == nullptr);
  CHECK(table.by_name().size() == 1);
}

TEST_CASE("of two hosts with one machine id the last one is found, and is found still when the other goes", "[nodes]") {
  NodeTable table;
  table.put(node_of("a", "uid-a", 1, "cloned"), 1);
  table.put(node_of("b", "uid-b", 2, "cloned"), 1);
  CHECK(table.by_machine_id("cloned")->name == "b");
  table.erase("a", 1);
  CHECK(table.by_machine_id("cloned")->name == "b");
  table.erase("b", 1);
  CHECK(table.by_machine_id("cloned") == nullptr);
}

TEST_CASE("a copy of the nodes is a value of its own, a moved one keeps what it has", "[nodes]") {
  NodeTable table;
  for (std::uint32_t i = 0; i < 100; ++i) table.put(node_of("n" + std::to_string(i), "uid-" + std::to_string(i), i, "m" + std::to_string(i)), 1);
  NodeTable copy = table;
  CHECK(copy == table);
  CHECK(copy.by_uid("uid-7") == copy.find("n7"));
  CHECK(copy.by_uid("uid-7") != table.find("n7"));
  copy.erase("n7", 1);
  CHECK_FALSE(copy == table);
  CHECK(table.by_uid("uid-7")->name == "n7");
  table = copy;
  CHECK(table.by_uid("uid-7") == nullptr);
  CHECK(table.by_machine_id("m8") == table.find("n8"));
  const NodeTable moved = std::move(copy);
  CHECK(moved.by_address(IpAddress::v4(0x0a4d0008U)) == moved.find("n8"));
  CHECK(moved == table);
}

TEST_CASE("the indexes follow 20,000 random changes", "[nodes]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  NodeTable table;
  std::map<std::string, Node> model;
  bool agree = true;
  for (std::uint64_t step = 0; step < 20'000 && agree; ++step) {
    const std::string name = "n" + std::to_string(random() % 50);
    if (random() % 3 == 0) {
      table.erase(name, 1);
      model.erase(name);
    } else {
      const Node node = node_of(name, "uid-" + std::to_string(step), static_cast<std::uint32_t>(step), "m" + std::to_string(step));
      table.put(node, 1);
      model[name] = node;
    }
    const auto expected = model.find(name);
    const Node* found = table.find(name);
    agree = (found != nullptr) == (expected != model.end()) && table.by_name().size() == model.size();
    if (found != nullptr) agree = agree && *found == expected->second && table.by_uid(found->uid) == found && table.by_address(found->address) == found;
    if (step % 1'000 == 0) agree = agree && table.by_name() == model;
  }
  CHECK(agree);
}

}  // namespace
}  // namespace slipway
