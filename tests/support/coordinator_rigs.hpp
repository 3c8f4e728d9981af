#pragma once
// What a test of the CoordinatorApi port needs besides the port: a host that joins, and an operator's hands.
// Once with the fake that the agent's tests use, once with the adapter and a real coordinator over real TLS.
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/client/http_coordinator.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "common/core/result.hpp"
#include "proto/desired_types.hpp"
#include "proto/join_types.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/fake_coordinator.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::test {

// A host named node-1 and what an operator may do. Times are those of the rig.
struct FakeCoordinatorRig {
  explicit FakeCoordinatorRig(NodeRole role = NodeRole::node);
  CoordinatorApi& api() { return fake; }
  std::string pin() { return fake.pin; }
  // Of one use.
  std::string new_token();
  void change_state();
  void remove_node();
  void go_away();
  std::string reported_phase();
  // Its id.
  std::string start_probe();

  ManualClock clock;
  IoTest io;
  FakeCoordinator fake{service_authority(), service_cluster(), clock};
  SimulatedAgent host;
};

struct RealCoordinatorRig {
  explicit RealCoordinatorRig(NodeRole role = NodeRole::node);
  CoordinatorApi& api() { return *adapter; }
  std::string pin();
  std::string new_token();
  void change_state();
  void remove_node();
  void go_away();
  std::string reported_phase();
  // Its id.
  std::string start_probe();

  ClusterFixture cluster;
  IoTest io;
  std::unique_ptr<HttpCoordinator> adapter;
  SimulatedAgent host;
  int others = 0;
};

template <class Rig>
Result<proto::JoinReply> join(Rig& rig, const SimulatedAgent& host, const std::string& token) {
  return rig.io.run(rig.api().join(host.join_request(token), JoinTrust{rig.pin(), ""}));
}

// The rig's host joins; its certificates are in `host`, and not in use yet.
template <class Rig>
void join_host(Rig& rig) {
  auto reply = join(rig, rig.host, rig.new_token());
  if (!reply) FAIL(reply.error().message);
  rig.host.certificates = reply->certificates;
  rig.host.reply = std::move(*reply);
}

template <class Rig>
Status identify(Rig& rig) {
  const KeyPair pair{rig.host.certificates.at("agent"), rig.host.keys.at("agent").to_pem().value()};
  return rig.api().use_identity(rig.host.reply.ca_bundles.at("fabric"), pair);
}

template <class Rig>
void settle(Rig& rig) {
  join_host(rig);
  REQUIRE(identify(rig));
}

template <class Rig>
Result<std::optional<SyncNews>> sync(Rig& rig, SyncPosition position) {
  return rig.io.run(rig.api().sync(std::move(position)));
}

proto::DesiredState state_in(const Result<std::optional<SyncNews>>& answer);

SyncPosition position_of(const proto::DesiredState& state, bool at_once);

template <class T>
std::optional<Errc> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  UNSCOPED_INFO(result.error().message);
  return result.error().code;
}

// What all four calls of a joined node answer.
template <class Rig>
std::vector<std::optional<Errc>> codes_of_all(Rig& rig) {
  CoordinatorApi& api = rig.api();
  SyncPosition at_once;
  at_once.at_once = true;
  return {code_of(sync(rig, at_once)), code_of(rig.io.run(api.report({}))),
          code_of(rig.io.run(api.renew({rig.host.csrs}))), code_of(rig.io.run(api.master_secrets()))};
}

}  // namespace slipway::test
