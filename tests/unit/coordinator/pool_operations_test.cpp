#include <catch2/catch.hpp>

#include "coordinator/domain/cluster_plan.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/service/pool_view.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;

// A cluster whose every change goes to a store and is read back.
class Pools {
 public:
  explicit Pools(const proto::ClusterSpec& spec = demo_spec()) {
    must(demo_init(spec));
    must(CreateToken{demo_token("many00", 100)});
  }
  Outcome must(const Operation& op) {
    std::vector<Change> changes;
    const auto outcome = apply(state_, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    CHECK(outcome->changed == !changes.empty());
    if (!changes.empty()) REQUIRE(records_.commit(changes));
    const auto loaded = records_.load();
    INFO((loaded ? std::string() : loaded.error().message));
    REQUIRE(loaded);
    CHECK(*loaded == state_);
    return *outcome;
  }
  std::string refused(const Operation& op, Errc code) {
    std::vector<Change> changes;
    const State before = state_;
    const auto outcome = apply(state_, op, changes);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == code);
    CHECK(changes.empty());
    CHECK(state_ == before);
    return outcome.error().message;
  }
  AdmissionRequest request(const std::string& name, const std::string& pool = "") {
    auto wish = demo_request(name, 100 + ++host_, "key of " + name, "many00");
    wish.pool = pool;
    return wish;
  }
  AdmitNode admission(const AdmissionRequest& wish) { return demo_admit(state_, wish, "uid-" + std::to_string(host_), "s" + std::to_string(host_)); }
  Node join(const std::string& name, const std::string& pool = "") { return *must(admission(request(name, pool))).node; }
  const State& state() const { return state_; }
  MemoryStore& store() { return store_; }

 private:
  State state_;
  MemoryStore store_;
  RecordStore records_{store_};
  int host_ = 0;
};

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
PoolRecord pool(const std::string& name, const std::string& range, int length = 24) {
  PoolRecord record;
  record.name = name;
  record.ranges = {cidr(range)};
  record.node_prefix_length = length;
  return record;
}
HoldBlock hold(const std::string& block, const std::string& node = "", const std::string& in = "") {
  return {in, {cidr(block), node, false, "why", k_start}};
}
void says(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

TEST_CASE("pools are made, used by name, drained and deleted", "[pools]") {
  Pools c;
  c.must(CreatePool{pool("blue", "10.20.0.0/16"), {}});
  CHECK(c.state().desired_revision() == c.state().revision());
  CHECK(desired_state(c.state()).pod_ranges == std::vector<std::string>{"10.10.0.0/16", "10.20.0.0/16"});
  CHECK(c.join("a").pod_cidr == cidr("10.10.0.0/24"));
  CHECK(c.join("b", "blue").pod_cidr == cidr("10.20.0.0/24"));
  says(c.refused(CreatePool{pool("blue", "10.30.0.0/16"), {}}, Errc::conflict), "pool blue exists");
  c.must(DrainPool{"blue", true});
  CHECK_FALSE(c.must(DrainPool{"blue", true}).changed);
  says(c.refused(c.admission(c.request("x", "blue")), Errc::conflict), "is being drained");
  says(c.refused(DeletePool{"blue"}, Errc::conflict), "1 blocks of nodes");
  CHECK_FALSE(tenant_of(*c.state().ledger().pool("blue"), *c.state().node("a")));
  CHECK(tenant_of(*c.state().ledger().pool("blue"), *c.state().node("b"))->block == "10.20.0.0/24");
  c.must(DeleteNode{"b", k_start});
  c.must(Sweep{{k_start + Seconds(700), Seconds(600), c.state().revision()}, Seconds(7 * 86400)});
  c.must(DeletePool{"blue"});
  CHECK(desired_state(c.state()).pod_ranges.size() == 1);
  CHECK(c.refused(DrainPool{"blue", true}, Errc::not_found).find("slipwayctl pool list") != std::string::npos);
  says(c.refused(DeletePool{k_default_pool}, Errc::conflict), "drain it instead");
}

TEST_CASE("what is in the way of a pool is named", "[pools]") {
  Pools c;
  const Node a = c.join("a");
  const std::vector<OccupiedRange> routes = {{cidr("172.17.0.0/16"), "docker0 of node a"}, {cidr("10.10.4.0/24"), "a route via eth0 of node a"}};
  says(c.refused(CreatePool{pool("x", "10.0.0.0/20"), routes}, Errc::conflict), "10.0.0.0/20 overlaps 10.0.0.0/16 of network.serviceCIDR");
  says(c.refused(CreatePool{pool("x", "10.77.3.0/24"), routes}, Errc::conflict), "network.nodeCIDRs");
  says(c.refused(CreatePool{pool("x", "10.10.3.0/24"), routes}, Errc::conflict), "pool default");
  says(c.refused(CreatePool{pool("x", "172.16.0.0/12"), routes}, Errc::conflict), "172.17.0.0/16 of docker0 of node a");
  says(c.refused(CreatePool{pool("x", "10.20.0.0/16", 26), {}}, Errc::invalid), "kubelet.maxPods is 110");
  // A route within our own range is one to a peer's pods, and does not stop growth.
  says(c.refused(GrowPool{k_default_pool, {cidr("172.16.0.0/12")}, {}, routes}, Errc::conflict), "docker0 of node a");
  c.must(GrowPool{k_default_pool, {cidr("10.10.0.0/15")}, {}, routes});
}

TEST_CASE("the default pool grows with the settings, and the settings with it", "[pools]") {
  Pools c;
  c.join("a");
  CHECK_FALSE(c.must(GrowPool{k_default_pool, {cidr("10.10.0.0/16")}, {}, {}}).changed);
  c.must(GrowPool{k_default_pool, {cidr("10.10.0.0/15"), cidr("10.40.0.0/16")}, {}, {}});
  CHECK(c.state().cluster().spec.network.pod_cidr == "10.10.0.0/15");
  CHECK(c.state().capacity().max_nodes == 768);
  auto spec = c.state().cluster().spec;
  spec.network.pod_cidr = "10.8.0.0/13";
  c.must(ApplyCluster{spec});
  CHECK(c.state().ledger().pool(k_default_pool)->record().ranges == std::vector{cidr("10.8.0.0/13"), cidr("10.40.0.0/16")});
  spec.network.pod_cidr = "10.10.0.0/16";
  says(c.refused(ApplyCluster{spec}, Errc::conflict), "it may only grow");
  says(c.refused(GrowPool{k_default_pool, {}, 25, {}}, Errc::conflict), "network.nodePrefixLength");
}

TEST_CASE("pools of the settings are made, grown and kept", "[pools]") {
  Pools c;
  auto spec = c.state().cluster().spec;
  spec.network.pools = {{"gpu", {"10.20.0.0/16"}, 23, "", "gpu-*", false}};
  c.must(ApplyCluster{spec});
  CHECK(c.join("gpu-1").pod_cidr == cidr("10.20.0.0/23"));
  CHECK(c.join("n1").pod_cidr == cidr("10.10.0.0/24"));
  says(c.refused(DeletePool{"gpu"}, Errc::conflict), "take it out of network.pools");
  spec.network.pools[0].ranges = {"10.20.0.0/15"};
  spec.network.pools[0].node_prefix_length = 24;
  c.must(ApplyCluster{spec});
  CHECK(c.join("gpu-2").pod_cidr == cidr("10.20.2.0/24"));
  c.must(CreatePool{pool("api", "10.50.0.0/16"), {}});
  spec.network.node_cidrs.push_back("10.50.3.0/24");
  says(c.refused(ApplyCluster{spec}, Errc::conflict), "10.50.0.0/16 of pool api");
  spec.network.node_cidrs.pop_back();
  spec.network.pools = {{"gpu", {"10.22.0.0/16"}, 24, "", "", false}};
  c.must(ApplyCluster{spec});  // what was there stays
  CHECK(c.state().ledger().pool("gpu")->record().ranges == std::vector{cidr("10.20.0.0/15"), cidr("10.22.0.0/16")});
}

TEST_CASE("the service range grows on its base, but not into a pool", "[pools]") {
  auto spec = demo_spec();
  spec.network.service_cidr = "10.96.0.0/16";
  Pools c(spec);
  c.must(CreatePool{pool("blue", "10.97.0.0/16"), {}});
  spec = c.state().cluster().spec;
  spec.network.service_cidr = "10.96.0.0/15";
  says(c.refused(ApplyCluster{spec}, Errc::conflict), "10.96.0.0/15 overlaps 10.97.0.0/16 of pool blue");
  c.must(DeletePool{"blue"});
  c.must(ApplyCluster{spec});
  for (const char* other : {"10.96.0.0/16", "10.98.0.0/15"}) {
    spec.network.service_cidr = other;
    spec.network.dns_ip = "";
    says(c.refused(ApplyCluster{spec}, Errc::conflict), "may only grow");
  }
}

TEST_CASE("dual stack: a block of each family comes and goes together", "[pools]") {
  Pools c;
  const Node before = c.join("old");
  c.must(CreatePool{pool("six", "fd00:10::/48", 64), {}});
  const Node node = c.join("a");
  REQUIRE(node.second_pod_cidr);
  CHECK(node.second_pod_cidr == cidr("fd00:10::/64"));
  CHECK_FALSE(c.state().node("old")->second_pod_cidr);  // Node.spec.podCIDRs cannot change
  CHECK(node_view(c.state(), node, nullptr).pod_cidrs == std::vector<std::string>{"10.10.1.0/24", "fd00:10::/64"});
  c.must(DeleteNode{"a", k_start});
  CHECK(c.state().ledger().quarantined() == 2);
  c.must(DeleteNode{"old", k_start});
  CHECK(c.state().ledger().quarantined() == 3);
  auto spec = demo_spec();
  spec.network.pod_cidr = "fd00:10::/48";
  says(validate(spec).error().message, "in this version a node's first address family is IPv4");
}

TEST_CASE("blocks are reserved, assigned and released", "[pools]") {
  Pools c;
  const Node a = c.join("a");
  c.must(hold("10.10.1.0/24"));
  c.must(hold("10.10.7.0/24", "late"));
  CHECK(c.join("b").pod_cidr == cidr("10.10.6.0/24"));  // beside the kept one, where nothing larger is torn
  CHECK(c.join("late").pod_cidr == cidr("10.10.7.0/24"));
  c.must(hold("10.10.0.0/24", "a"));
  says(c.refused(hold("10.10.0.0/25"), Errc::conflict), "(node a)");
  says(c.refused(hold("10.10.9.0/24", "b"), Errc::conflict), "node b lives with 10.10.6.0/24, which cannot change");
  says(c.refused(hold("10.10.9.0/27", "tiny"), Errc::invalid), "29 pods");
  says(c.refused(hold("10.99.0.0/24"), Errc::invalid), "lies in no pool");
  says(c.refused(hold("10.10.9.0/24", "", "blue"), Errc::not_found), "there is no pool blue");
  c.must(CreatePool{pool("blue", "10.20.0.0/16"), {}});
  says(c.refused(hold("10.10.9.0/24", "", "blue"), Errc::conflict), "lies in pool default, not in blue");
  c.must(DeletePool{"blue"});
  says(c.refused(hold("10.10.9.0/24", "Bad Name"), Errc::invalid), "/node");
  c.refused(ReleaseHold{"", cidr("10.10.9.0/24")}, Errc::not_found);
  c.must(ReleaseHold{"default", cidr("10.10.1.0/24")});
  CHECK(c.join("d").pod_cidr == cidr("10.10.1.0/24"));
  const auto view = pool_view(c.state(), *c.state().ledger().pool(k_default_pool), k_start);
  REQUIRE(view.reservations.size() == 2);
  CHECK(view.reservations[1].node == "late");
  CHECK(view.reservations[1].in_use);
  CHECK(view.allocated == 4);
}

TEST_CASE("blocks of foreign nodes are kept for them before anybody gets one", "[pools]") {
  auto spec = demo_spec();
  spec.network.adopt_nodes = true;
  Pools c(spec);
  says(c.refused(c.admission(c.request("x")), Errc::unavailable), "have not been read yet (network.adoptNodes)");
  const ImportNodes there{{{"f1", {"10.10.0.0/24"}}, {"f2", {"10.10.1.0/24", "fd00::/64"}}, {"f3", {"10.10.1.0/25"}}, {"f4", {"rubbish"}}, {"f5", {"192.168.0.0/24"}}}, k_start};
  const auto notes = c.must(there).notes;
  REQUIRE(notes.size() == 4);
  says(notes[0], "Node f2 has spec.podCIDR fd00::/64, which cannot be kept for it: fd00::/64 lies in no pool");
  says(notes[1], "Node f3 has spec.podCIDR 10.10.1.0/25, which cannot be kept for it: 10.10.1.0/25 overlaps 10.10.1.0/24, which is kept for node f2");
  says(notes[2], "which is no block");
  says(notes[3], "lies in no pool");
  CHECK_FALSE(c.must(there).changed);
  CHECK(c.join("new").pod_cidr == cidr("10.10.2.0/24"));
  CHECK(c.join("f2").pod_cidr == cidr("10.10.1.0/24"));
  // Live nodes and removed ones are ours to deal with; a foreign node on a live node's block is named.
  c.must(DeleteNode{"new", k_start});
  const auto later = c.must(ImportNodes{{{"f2", {"10.10.9.0/24"}}, {"new", {"10.10.8.0/24"}}, {"thief", {"10.10.1.0/24"}}}, k_start});
  REQUIRE(later.notes.size() == 1);
  says(later.notes[0], "Node thief");
  says(later.notes[0], "kept for node f2");
}

TEST_CASE("a host's own routes and a pod range do not go together", "[pools]") {
  Pools c;
  auto wish = c.request("a");
  wish.host_routes = host_routes_of({"10.10.0.0/24 dev docker0", "10.0.0.0/8 via eth1", "0.0.0.0/0 dev eth0", "rubbish", "10.1.0.0/16 dev x\ny"}, "a", true);
  REQUIRE(wish.host_routes.size() == 1);
  says(c.refused(c.admission(wish), Errc::conflict), "pod addresses 10.10.0.0/16 overlaps 10.10.0.0/24 of docker0 of node a");
  wish.host_routes = host_routes_of({"10.0.8.0/24 dev br0"}, "a", true);
  says(c.refused(c.admission(wish), Errc::conflict), "service addresses 10.0.0.0/16 overlaps 10.0.8.0/24 of br0 of node a");
  wish.host_routes = host_routes_of({"172.17.0.0/16 dev docker0"}, "a", true);
  c.must(c.admission(wish));
  auto inside = c.request("b");
  inside.address = *IpAddress::parse("10.20.0.7");
  c.must(CreatePool{pool("blue", "10.20.0.0/16"), {}});
  CHECK_FALSE(admit(c.state(), inside).result);
  c.must(CreatePool{pool("six", "fd00:10::/48", 64), {}});
  auto six = c.request("c");
  six.host_routes = host_routes_of({"fd00:77::/64 dev eth0", "fd00:10:0:4::/64 dev tun0"}, "c", true);
  says(c.refused(c.admission(six), Errc::conflict), "pod addresses fd00:10::/48 overlaps fd00:10:0:4::/64 of tun0 of node c");
}

TEST_CASE("what hosts route is in the way of the settings, too", "[pools]") {
  auto spec = demo_spec();
  spec.network.service_cidr = "10.96.0.0/16";
  Pools c(spec);
  spec = c.state().cluster().spec;
  const std::vector<OccupiedRange> routes = {{cidr("172.20.0.0/16"), "docker0 of node a"}, {cidr("10.97.3.0/24"), "tun0 of node b"}, {cidr("10.96.7.0/24"), "tun1 of node b"}};
  auto wider = spec;
  wider.network.pools = {{"red", {"172.16.0.0/12"}, 24, "", "", false}};
  says(c.refused(ApplyCluster{wider, routes}, Errc::conflict), "172.16.0.0/12 overlaps 172.20.0.0/16 of docker0 of node a");
  wider = spec;
  wider.network.service_cidr = "10.96.0.0/15";
  const std::string services = c.refused(ApplyCluster{wider, routes}, Errc::conflict);
  says(services, "network.serviceCIDR cannot be as written");
  says(services, "10.96.0.0/15 overlaps 10.97.3.0/24 of tun0 of node b");
  CHECK(services.find("tun1") == std::string::npos);  // that is as it was before
  State copy = c.state();
  std::vector<Change> changes;
  const auto refused = apply(copy, ApplyCluster{wider, routes}, changes);
  REQUIRE_FALSE(refused);
  CHECK(tells_overlap(refused.error()));
  auto other = spec;
  other.kubelet.max_pods = 100;
  c.must(ApplyCluster{other, routes});
  c.must(ApplyCluster{wider, {routes[0]}});
}

TEST_CASE("overlaps are told by their cause, whatever the words", "[pools]") {
  CHECK(tells_overlap(make_error(Errc::conflict, Cause::range_overlap, "in other words")));
  CHECK(tells_overlap(make_error(Errc::conflict, Cause::block_taken, "in other words")));
  CHECK_FALSE(tells_overlap(make_error(Errc::conflict, Cause::name_taken, "the name a overlaps b exists")));
  CHECK_FALSE(tells_overlap(make_error(Errc::conflict, "10.0.0.0/8 overlaps 10.1.0.0/16")));
}

TEST_CASE("a change that is tried changes nothing", "[pools]") {
  Pools c;
  auto spec = c.state().cluster().spec;
  spec.network.pools = {{"red", {"172.16.0.0/16"}, 24, "", "", false}};
  const State before = c.state();
  const auto plan = plan_cluster(c.state(), {spec});
  REQUIRE(plan);
  CHECK(c.state() == before);
  CHECK(plan->pools.changed.size() == 1);
  CHECK(capacity_with(plan->cluster, plan->pools.ledger, 0).max_nodes == 512);
  CHECK_FALSE(plan_cluster(c.state(), {spec, {{cidr("172.16.4.0/24"), "docker0 of node a"}}}));
  CHECK(plan_cluster(c.state(), {before.cluster().spec})->pools.changed.empty());
}

TEST_CASE("the room that services may grow into is nobody's", "[pools]") {
  auto spec = demo_spec();
  spec.network.service_cidr = "10.96.0.0/16";
  spec.network.service_reserve = "10.96.0.0/12";
  Pools c(spec);
  says(c.refused(CreatePool{pool("blue", "10.100.0.0/16"), {}}, Errc::conflict), "10.100.0.0/16 overlaps 10.96.0.0/12 of network.serviceReserve");
  says(c.refused(GrowPool{k_default_pool, {cidr("10.104.0.0/16")}, {}, {}}, Errc::conflict), "network.serviceReserve");
  spec = c.state().cluster().spec;
  spec.network.service_reserve = "";
  c.must(ApplyCluster{spec});
  c.must(CreatePool{pool("blue", "10.100.0.0/16"), {}});
  spec.network.service_reserve = "10.96.0.0/12";
  says(c.refused(ApplyCluster{spec}, Errc::conflict), "10.96.0.0/12 overlaps 10.100.0.0/16 of pool blue");
  spec.network.service_reserve = "10.96.0.0/14";
  c.must(ApplyCluster{spec});
  spec.network.service_cidr = "10.96.0.0/14";
  c.must(ApplyCluster{spec});
  for (const char* bad : {"10.97.0.0/16", "10.96.0.0/15", "10.96.0.0/11", "10.0.0.0/8", "rubbish"}) {
    INFO(bad);
    spec.network.service_reserve = bad;
    says(validate(spec).error().message, "/network/serviceReserve");
  }
  spec.network.service_reserve = "10.96.0.0/12";
  spec.network.pools = {{"red", {"10.110.0.0/16"}, 24, "", "", false}};
  says(validate(spec).error().message, "10.110.0.0/16 overlaps /network/serviceReserve 10.96.0.0/12");
}

TEST_CASE("routes that came after the join are found where they are in the way", "[pools]") {
  Pools c;
  const Node a = c.join("a");
  const Node b = c.join("b");
  const Node gone = c.join("gone");
  c.must(DeleteNode{"gone", k_start});
  ManualClock clock;
  NodeStatusBoard board(clock);
  proto::NodeStatusReport report;
  report.phase = "Running";
  // Peers' blocks, one that is being dropped, a wide way out: none of them harms.
  report.facts.host_routes = {"10.77.0.0/16 dev eth0", "10.10.1.0/24 via eth0", gone.pod_cidr.to_string() + " via eth0", "10.0.0.0/8 via tun0"};
  board.report(a.uid, report);
  CHECK(route_collisions(c.state(), board).empty());
  report.facts.host_routes = {"10.10.0.0/16 dev docker0", "10.0.4.0/24 dev br0", "10.10.9.0/24 via tun0", "10.10.1.0/25 via tun0"};
  board.report(b.uid, report);
  const auto found = route_collisions(c.state(), board);
  REQUIRE(found.size() == 4);
  CHECK(found[0].node == "b");
  CHECK(found[0].what == "10.10.0.0/16 of docker0 of node b overlaps 10.10.0.0/16 of pool default");
  CHECK(found[1].what == "10.0.4.0/24 of br0 of node b overlaps 10.0.0.0/16 of network.serviceCIDR");
}

TEST_CASE("samples are taken every four hours and make a forecast", "[pools]") {
  auto spec = demo_spec();
  spec.network.pod_cidr = "10.10.0.0/20";
  Pools c(spec);
  for (int i = 0; i < 8; ++i) {
    c.join("n" + std::to_string(i));
    CHECK(c.must(SamplePools{k_start + Seconds(14'400 * i)}).changed);
    CHECK_FALSE(c.must(SamplePools{k_start + Seconds(14'400 * i + 3600)}).changed);
  }
  const auto view = pool_list(c.state(), k_start + Seconds(14'400 * 7)).items.at(0);
  CHECK(view.available == 8);
  CHECK(view.used_percent == Approx(50.0));
  CHECK(view.level == "ok");
  CHECK(parse_rfc3339(view.exhausted_at) == k_start + Seconds(14'400 * 15));
}

TEST_CASE("a store of before there were pools is read", "[pools]") {
  Pools c;
  c.join("a");
  REQUIRE(c.store().commit({{}, {"s/pool/default"}}));
  const auto loaded = RecordStore(c.store()).load();
  REQUIRE(loaded);
  CHECK(*loaded == c.state());
}

}  // namespace
}  // namespace slipway
