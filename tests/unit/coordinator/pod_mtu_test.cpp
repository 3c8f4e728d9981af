#include "coordinator/domain/pod_mtu.hpp"

#include <catch2/catch.hpp>

#include "coordinator/domain/desired.hpp"
#include "tests/support/cluster_values.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("the limit of pods' MTU is the smallest of nodes that differ", "[network][mtu]") {
  CHECK(pod_mtu_limit({{}, true}, 0) == 0);
  CHECK(pod_mtu_limit({{1500}, true}, 0) == 0);
  CHECK(pod_mtu_limit({{1500, 1500}, true}, 0) == 0);
  CHECK(pod_mtu_limit({{1500, 1450, 8950}, true}, 0) == 1450);
  // The small one has gone.
  CHECK(pod_mtu_limit({{1500, 8950}, true}, 1450) == 1500);
  CHECK(pod_mtu_limit({{1500, 1500}, true}, 1450) == 0);
}

TEST_CASE("the limit of pods' MTU falls by any node's word, and rises by all", "[network][mtu]") {
  CHECK(pod_mtu_limit({{}, false}, 1450) == 1450);
  CHECK(pod_mtu_limit({{1500, 1500}, false}, 1450) == 1450);
  CHECK(pod_mtu_limit({{1450}, false}, 1450) == 1450);
  CHECK(pod_mtu_limit({{1400}, false}, 1450) == 1400);
  CHECK(pod_mtu_limit({{1500, 1450}, false}, 0) == 1450);
  CHECK(pod_mtu_limit({{1500}, false}, 0) == 0);
}

TEST_CASE("no node takes pods' MTU below what IPv6 needs", "[network][mtu]") {
  CHECK(pod_mtu_limit({{1500, 576}, true}, 0) == 0);
  CHECK(pod_mtu_limit({{1500, 1280, 0, 1u << 20}, true}, 0) == 1280);
}

TEST_CASE("agents are told the limit of pods' MTU where no operator has set one", "[network][mtu]") {
  for (const std::uint64_t wanted : {0, 1400}) {
    proto::ClusterSpec spec = demo_spec();
    spec.network.mtu = wanted;
    State state;
    std::vector<Change> changes;
    REQUIRE(apply(state, demo_init(spec), changes));
    const std::uint64_t before = state.desired_revision();
    Sweep sweep{{k_start, Seconds(600), 0}};
    REQUIRE(apply(state, sweep, changes));
    CHECK(state.desired_revision() == before);
    sweep.pod_mtu_limit = 1450;
    REQUIRE(apply(state, sweep, changes));
    CHECK(state.desired_revision() > before);
    CHECK(desired_state(state).cluster.network.mtu == (wanted == 0 ? 1450 : wanted));
    const auto delta = desired_delta(state, before);
    REQUIRE(delta);
    REQUIRE(delta->cluster);
    CHECK(delta->cluster->network.mtu == (wanted == 0 ? 1450 : wanted));
    CHECK(state.cluster().spec.network.mtu == wanted);  // the operator's file stays what it was
    const std::uint64_t told = state.desired_revision();
    REQUIRE(apply(state, sweep, changes));
    CHECK(state.desired_revision() == told);
  }
}
