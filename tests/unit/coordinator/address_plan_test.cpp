#include "coordinator/domain/address_plan.hpp"

#include <catch2/catch.hpp>

#include "coordinator/domain/cluster_spec.hpp"

using namespace slipway;

namespace {

AddressPlan planned(const PlanWish& wish) {
  const auto plan = plan_addresses(wish);
  INFO((plan ? std::string() : plan.error().message));
  REQUIRE(plan);
  return *plan;
}

std::string refusal(const PlanWish& wish) {
  const auto plan = plan_addresses(wish);
  REQUIRE_FALSE(plan);
  return plan.error().message;
}

bool says(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

Cidr cidr(const char* text) { return *Cidr::parse(text); }

PlanWish of(std::uint64_t nodes, std::uint64_t pods) {
  PlanWish wish;
  wish.nodes = nodes;
  wish.pods = pods;
  return wish;
}

// The plan as the cluster settings that it is for.
proto::ClusterSpec spec_of(const AddressPlan& plan, std::uint64_t pods) {
  proto::ClusterSpec spec;
  spec.metadata.name = "demo";
  spec.api_server.endpoint = "https://192.0.2.10:6443";
  spec.coordinator.addresses = {"192.0.2.10"};
  spec.network.pod_cidr = plan.pod_cidr.to_string();
  spec.network.node_prefix_length = static_cast<std::uint64_t>(plan.node_prefix_length);
  spec.network.service_cidr = plan.service_cidr.to_string();
  spec.network.service_reserve = plan.service_reserve.to_string();
  if (plan.ipv6) spec.network.pools = {{"six", {plan.ipv6->to_string()}, 64, "", "", false}};
  spec.versions = {"1.20.2", "3.4.23", "20.10.24", "1.1.1"};
  spec.kubelet.max_pods = pods;
  return spec;
}

}  // namespace

TEST_CASE("address plan: 110 pods take a /24, or tight 128 addresses", "[address_plan]") {
  const AddressPlan roomy = planned(of(100, 110));
  CHECK(roomy.node_prefix_length == 24);
  CHECK(roomy.addresses_per_node == 253);
  CHECK(roomy.max_nodes == 256);  // 100 and as many again, rounded up
  CHECK(roomy.pod_cidr == cidr("10.0.0.0/16"));
  PlanWish wish = of(100, 110);
  wish.tight = true;
  const AddressPlan tight = planned(wish);
  CHECK(tight.node_prefix_length == 25);
  CHECK(tight.addresses_per_node == 125);
  CHECK(tight.pod_cidr.prefix_length() == 17);
}

TEST_CASE("address plan: a block is larger where network, bridge and broadcast no longer fit", "[address_plan]") {
  PlanWish wish = of(1, 125);
  wish.tight = true;
  CHECK(planned(wish).node_prefix_length == 25);
  wish.pods = 126;
  CHECK(planned(wish).node_prefix_length == 24);
  wish.pods = 253;
  CHECK(planned(wish).node_prefix_length == 24);
  wish.pods = 254;
  CHECK(planned(wish).node_prefix_length == 23);
  wish.pods = 5;
  CHECK(planned(wish).node_prefix_length == 29);
  wish.pods = 1;
  CHECK(planned(wish).node_prefix_length == 29);  // the smallest that is cut
}

TEST_CASE("address plan: one node", "[address_plan]") {
  PlanWish wish = of(1, 110);
  wish.growth_percent = 0;
  const AddressPlan alone = planned(wish);
  CHECK(alone.max_nodes == 1);
  CHECK(alone.pod_cidr == cidr("10.0.0.0/24"));
  CHECK(alone.node_prefix_length == 24);
  wish.growth_percent = 1;  // a part of a node is a node
  CHECK(planned(wish).max_nodes == 2);
}

TEST_CASE("address plan: nodes that are a power of two need no rounding", "[address_plan]") {
  PlanWish wish = of(256, 110);
  wish.growth_percent = 0;
  CHECK(planned(wish).max_nodes == 256);
  wish.nodes = 257;
  CHECK(planned(wish).max_nodes == 512);
}

TEST_CASE("address plan: ranges keep clear of what is to be avoided and of each other", "[address_plan]") {
  PlanWish wish = of(100, 110);
  wish.avoid = {cidr("10.0.0.0/24"), cidr("10.1.128.0/20"), cidr("10.2.255.255/32"), cidr("192.168.10.0/24"), cidr("fd00::/48")};
  const AddressPlan plan = planned(wish);
  CHECK(plan.pod_cidr == cidr("10.3.0.0/16"));
  for (const Cidr& range : wish.avoid) {
    CHECK_FALSE(range.overlaps(plan.pod_cidr));
    CHECK_FALSE(range.overlaps(plan.service_reserve));
  }
  CHECK_FALSE(plan.pod_cidr.overlaps(plan.service_reserve));
  CHECK(plan.service_reserve.contains(plan.service_cidr));
  CHECK(plan.service_reserve.base() == plan.service_cidr.base());
  wish.avoid = {cidr("10.0.0.0/8")};
  CHECK(planned(wish).pod_cidr == cidr("172.16.0.0/16"));
  wish.avoid = {cidr("10.0.0.0/8"), cidr("172.0.0.0/8")};
  wish.growth_percent = 0;
  wish.nodes = 64;
  CHECK(planned(wish).pod_cidr == cidr("192.168.0.0/18"));
}

TEST_CASE("address plan: services", "[address_plan]") {
  PlanWish wish = of(10, 110);
  CHECK(planned(wish).service_cidr.prefix_length() == 20);
  CHECK(planned(wish).service_reserve.prefix_length() == 16);
  wish.services = 12;  // with kubernetes, DNS, the first and the last address 16
  CHECK(planned(wish).service_cidr.prefix_length() == 28);
  wish.services = 13;
  CHECK(planned(wish).service_cidr.prefix_length() == 27);
  wish.services = 1'048'572;
  const AddressPlan most = planned(wish);
  CHECK(most.service_cidr.prefix_length() == 12);
  CHECK(most.service_reserve == most.service_cidr);
  wish.services = 1'048'573;
  CHECK(says(refusal(wish), "1048573 services do not fit: kube-apiserver takes ranges up to /12, which holds 1048572 beside kubernetes and DNS"));
  wish.services = UINT64_MAX;
  CHECK(says(refusal(wish), "do not fit"));
}

TEST_CASE("address plan: the room for services shrinks before they are refused", "[address_plan]") {
  PlanWish wish = of(4, 110);
  wish.growth_percent = 0;
  wish.avoid = {cidr("172.16.0.0/12"), cidr("192.168.0.0/16"), cidr("10.0.0.0/9"), cidr("10.128.0.0/10"), cidr("10.192.0.0/11"),
                cidr("10.224.0.0/12"), cidr("10.240.0.0/13"), cidr("10.248.0.0/14"), cidr("10.252.0.0/15"), cidr("10.254.0.0/16"),
                cidr("10.255.0.0/17"), cidr("10.255.128.0/18")};
  const AddressPlan plan = planned(wish);  // 10.255.192.0/18 is left
  CHECK(plan.pod_cidr == cidr("10.255.192.0/22"));
  CHECK(plan.service_reserve == cidr("10.255.224.0/19"));
  CHECK(plan.service_cidr == cidr("10.255.224.0/20"));
  wish.nodes = 64;
  CHECK(says(refusal(wish), "services do not fit beside the pods: they take a /20, and no private range is free"));
  wish.nodes = 65;
  CHECK(says(refusal(wish), "take a /17 (32768 addresses), and the largest private range that is free is 10.255.192.0/18 (16384 addresses)"));
}

TEST_CASE("address plan: what cannot fit is refused with the sum", "[address_plan]") {
  CHECK(says(refusal(of(0, 110)), "at least one node"));
  CHECK(says(refusal(of(10, 0)), "at least one pod"));
  const std::string large = refusal(of(40'000, 110));
  CHECK(says(large, "40000 nodes and 100 % more are 80000 blocks of /24, rounded up to 2^17, take a /7 (33554432 addresses)"));
  CHECK(says(large, "10.0.0.0/8 (16777216 addresses)"));
  CHECK(says(refusal(of(16'777'216, 110)), "more addresses than IPv4 has"));
  CHECK(says(refusal(of(16'777'217, 110)), "more than a pool can be cut for"));
  CHECK(says(refusal(of(1, UINT64_MAX)), "more than the largest private range"));
  PlanWish wish = of(1, 110);
  wish.growth_percent = UINT64_MAX;
  CHECK(says(refusal(wish), "is no plan"));
  wish.growth_percent = 0;
  wish.services = 0;
  CHECK(says(refusal(wish), "at least one beside"));
  wish = of(1, 110);
  wish.avoid = {cidr("0.0.0.0/0")};
  CHECK(says(refusal(wish), "no private range is free"));
}

TEST_CASE("address plan: an IPv6 range must have a /64 for each node", "[address_plan]") {
  PlanWish wish = of(100, 110);
  wish.ipv6 = cidr("fd12:3456:789a::/48");
  CHECK(planned(wish).ipv6 == cidr("fd12:3456:789a::/48"));
  wish.ipv6 = cidr("fd12:3456:789a::/56");  // 256
  CHECK(planned(wish).ipv6 == cidr("fd12:3456:789a::/56"));
  wish.ipv6 = cidr("fd12:3456:789a::/57");
  CHECK(says(refusal(wish), "has no 256 blocks of /64: take a /56 or wider"));
  wish.ipv6 = cidr("fd00::/8");  // more than a pool can be cut in
  CHECK(planned(wish).ipv6 == cidr("fd00::/40"));
  wish.ipv6 = cidr("10.0.0.0/8");
  CHECK(says(refusal(wish), "is IPv4"));
  wish.ipv6 = cidr("2001:db8::/48");
  CHECK(says(refusal(wish), "for documentation only"));
  wish.ipv6 = cidr("fd12:3456:789a::/48");
  wish.avoid = {cidr("fd12::/16")};
  CHECK(says(refusal(wish), "overlaps fd12::/16"));
}

TEST_CASE("address plan: what is proposed is a cluster that can be made", "[address_plan]") {
  for (const std::uint64_t nodes : {1, 2, 3, 100, 500, 5000, 20000}) {
    for (const std::uint64_t pods : {1, 29, 110, 250}) {
      for (const bool tight : {false, true}) {
        PlanWish wish = of(nodes, pods);
        wish.tight = tight;
        wish.growth_percent = 0;
        wish.ipv6 = cidr("fd12:3456:789a::/48");
        if (nodes == 20000 && pods == 250 && !tight) continue;  // 32768 of /23 are a /8 with nothing beside it
        INFO(nodes << " " << pods << " " << tight);
        const AddressPlan plan = planned(wish);
        const auto cluster = validate(spec_of(plan, pods));
        INFO((cluster ? std::string() : cluster.error().message));
        REQUIRE(cluster);
        CHECK(capacity_of(*cluster).max_nodes == plan.max_nodes);
        CHECK(plan.max_nodes >= nodes);
        CHECK(plan.addresses_per_node >= pods);
        CHECK(cluster->dns_ip == plan.dns_ip);
      }
    }
  }
}
