// What agents are told since a revision: in the order of the last change, one entry a node, back to a floor.
#include "coordinator/domain/change_history.hpp"

#include <malloc.h>

#include <catch2/catch.hpp>

#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/node_table.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;
using Names = std::vector<std::string>;

Node node_of(const std::string& name, std::uint32_t host, std::uint64_t generation = 1) {
  Node node;
  node.name = name;
  node.uid = "uid-" + name + "-" + std::to_string(generation);
  node.generation = generation;
  node.address = IpAddress::v4(0x0a4d0000U + host);
  node.pod_cidr = Cidr::make(IpAddress::v4(0x0a0a0000U + (host << 8)), 24).value();
  return node;
}

Names changed(const NodeTable& table, std::uint64_t since) {
  Names names;
  const auto all = table.history().since(since);
  REQUIRE(all);
  for (const Node* node : all->nodes) names.push_back(node->name);
  return names;
}
Names gone(const NodeTable& table, std::uint64_t since) {
  Names uids;
  const auto all = table.history().since(since);
  REQUIRE(all);
  for (const GoneNode* node : all->gone) uids.push_back(node->uid);
  return uids;
}
std::vector<proto::PeerNode> peers(const NodeTable& table) {
  std::vector<proto::PeerNode> all;
  for (const auto& [name, node] : table.by_name()) {
    all.push_back({node.name, node.uid, node.generation, std::string(to_string(node.role)), node.address.to_string(), node.pod_cidr.to_string()});
  }
  return all;
}

TEST_CASE("ten changes of a node are one entry, where the last one was", "[feed]") {
  NodeTable table;
  table.put(node_of("a", 1), 1);
  table.put(node_of("b", 2), 2);
  for (std::uint32_t i = 0; i < 10; ++i) table.put(node_of("a", 10 + i), 3 + i);
  CHECK(changed(table, 0) == Names{"b", "a"});
  CHECK(changed(table, 2) == Names{"a"});
  CHECK(changed(table, 11) == Names{"a"});
  CHECK(changed(table, 12).empty());
  CHECK(table.history().size() == 2);
}

TEST_CASE("what agents do not see is no change", "[feed]") {
  NodeTable table;
  table.put(node_of("a", 1), 1);
  Node renewed = node_of("a", 1);
  renewed.certificates.set(CertUsage::agent, PackedSerial("aa"));
  table.put(renewed, 2);
  CHECK(changed(table, 1).empty());
  NodeExtras extras;
  extras.settings.labels["disk"] = "fast";
  renewed.extras.set(extras);
  table.put(renewed, 3);
  CHECK(changed(table, 2) == Names{"a"});
}

TEST_CASE("a node that is gone leaves its uid, generation and blocks, and no entry among the others", "[feed]") {
  NodeTable table;
  table.put(node_of("a", 1), 1);
  table.put(node_of("b", 2), 2);
  table.erase("a", 3);
  table.erase("a", 4);
  CHECK(changed(table, 0) == Names{"b"});
  const auto since = table.history().since(2).value();
  REQUIRE(since.gone.size() == 1);
  CHECK(since.gone[0]->uid == "uid-a-1");
  CHECK(since.gone[0]->generation == 1);
  CHECK(since.gone[0]->blocks == std::vector<Cidr>{Cidr::parse("10.10.1.0/24").value()});
  CHECK(gone(table, 3).empty());
}

TEST_CASE("another registration of a name buries the one before", "[feed]") {
  NodeTable table;
  table.put(node_of("a", 1), 1);
  table.put(node_of("a", 1, 2), 2);
  CHECK(changed(table, 1) == Names{"a"});
  CHECK(gone(table, 1) == Names{"uid-a-1"});
  CHECK(table.history().since(1)->nodes[0]->uid == "uid-a-2");
}

TEST_CASE("below the floor nothing is remembered", "[feed]") {
  NodeTable table;
  table.load(node_of("z", 9));
  table.history().begin(10);
  CHECK_FALSE(table.history().since(9));
  CHECK(changed(table, 10).empty());
  table.put(node_of("a", 1), 11);
  table.put(node_of("b", 2), 12);
  table.erase("z", 13);
  table.put(node_of("c", 3), 14);
  table.history().raise_floor(13);
  CHECK_FALSE(table.history().since(12));
  CHECK(changed(table, 13) == Names{"c"});
  CHECK(gone(table, 13).empty());
  CHECK(table.history().size() == 1);
  table.history().raise_floor(5);
  CHECK(table.history().floor() == 13);
  // A node that was forgotten and changes again is an entry again.
  table.put(node_of("a", 21), 15);
  CHECK(changed(table, 13) == Names{"c", "a"});
}

TEST_CASE("more than 64 Ki entries raise the floor, the newest stay", "[feed]") {
  NodeTable table;
  const auto most = static_cast<std::uint32_t>(ChangeHistory::k_most);
  std::uint64_t revision = 0;
  for (std::uint32_t i = 0; i <= most; ++i) {
    table.put(node_of("a", 1), ++revision);
    table.erase("a", ++revision);
  }
  CHECK(table.history().size() <= most);
  CHECK(table.history().size() > most / 2);
  CHECK(table.history().floor() > 0);
  CHECK_FALSE(table.history().since(table.history().floor() - 1));
  CHECK(gone(table, revision - 1).size() == 1);
}

TEST_CASE("the mark is that of the nodes there are, whatever came before", "[feed]") {
  NodeTable table;
  for (std::uint32_t i = 0; i < 20; ++i) table.put(node_of("n" + std::to_string(i % 7), i, 1 + i / 7), i + 1);
  table.erase("n3", 30);
  CHECK(table.history().mark() == proto::mark_of(peers(table)));
  CHECK(table.history().mark().count == 6);
  NodeTable loaded;
  for (const auto& [name, node] : table.by_name()) loaded.load(node);
  CHECK(loaded.history().mark() == table.history().mark());
  loaded.put(node_of("n1", 99), 31);
  CHECK(loaded.history().mark().hash() != table.history().mark().hash());
}

TEST_CASE("a copy remembers by itself, and the past does not make two tables different", "[feed]") {
  NodeTable table;
  table.put(node_of("a", 1), 1);
  table.put(node_of("b", 2), 2);
  NodeTable copy = table;
  table.erase("a", 3);
  copy.put(node_of("c", 3), 3);
  CHECK(changed(copy, 0) == Names{"a", "b", "c"});
  CHECK(copy.history().since(0)->nodes[0] == copy.find("a"));
  copy.erase("a", 4);
  copy.erase("c", 5);
  CHECK(copy == table);
  CHECK(gone(copy, 0) == Names{"uid-a-1", "uid-c-1"});
}

TEST_CASE("each part of the settings is told only to those who lack its last change", "[feed]") {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  const std::uint64_t made = state.desired_revision();
  CHECK(desired_delta(state, 0)->cluster.has_value());
  CHECK_FALSE(desired_delta(state, made)->cluster.has_value());
  REQUIRE(apply(state, CreateToken{demo_token("many00", 10)}, changes));
  REQUIRE(apply(state, demo_admit(state, demo_request("n1", 21, "k1", "many00"), "uid-1", "s1"), changes));
  const auto join = desired_delta(state, made);
  REQUIRE(join);
  CHECK(join->up.size() == 1);
  CHECK_FALSE(join->cluster.has_value());
  CHECK_FALSE(join->components.has_value());
  CHECK_FALSE(join->pod_ranges.has_value());
  CHECK_FALSE(join->cas.has_value());
  CHECK_FALSE(join->overrides.has_value());
  CHECK_FALSE(join->artifact_manifest.has_value());
  CHECK(join->node_count == 1);
  CHECK(join->nodes_hash == proto::mark_of(join->up).hash());
  const std::uint64_t joined = state.desired_revision();
  REQUIRE(apply(state, PutManifest{{1, "signed"}}, changes));
  CHECK(desired_delta(state, joined)->artifact_manifest == "signed");
  CHECK(desired_delta(state, joined)->up.empty());
  const std::uint64_t listed = state.desired_revision();
  auto spec = state.cluster().spec;
  spec.versions.docker = "20.10.99";
  REQUIRE(apply(state, ApplyCluster{spec}, changes));
  const auto applied = desired_delta(state, listed);
  REQUIRE(applied->cluster.has_value());
  CHECK(applied->cluster->versions.docker == "20.10.99");
  CHECK(applied->components.has_value());
  CHECK_FALSE(applied->artifact_manifest.has_value());
  // Who lacks two changes gets both at once.
  CHECK(desired_delta(state, made)->up.size() == 1);
  CHECK(desired_delta(state, made)->cluster.has_value());
  CHECK(desired_delta(state, made)->to == state.desired_revision());
}

// Mallinfo knows nothing of a sanitizer's heap.
TEST_CASE("the history of a node takes about a hundred bytes at most", "[feed]") {
  NodeTable table;
  constexpr std::uint32_t k_nodes = 20'000;
  for (std::uint32_t i = 0; i < k_nodes; ++i) table.load(node_of("n" + std::to_string(i), i));
  const std::size_t before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  std::uint64_t revision = 0;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < k_nodes; ++i) {
      Node node = *table.find("n" + std::to_string(i));
      node.generation += 0;
      node.address = node.address.plus(1);
      table.put(std::move(node), ++revision);
    }
  }
  CHECK(table.history().size() == k_nodes);
  const std::size_t now = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  if (before == 0) return;
  CHECK((now - before) / k_nodes <= 110);
}

}  // namespace
}  // namespace slipway
