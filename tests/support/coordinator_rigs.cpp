#include "tests/support/coordinator_rigs.hpp"

#include "common/crypto/certificate.hpp"
#include "coordinator/app.hpp"
#include "proto/codec.hpp"

namespace slipway::test {

FakeCoordinatorRig::FakeCoordinatorRig(NodeRole role) : host("node-1", 11, role) {
  fake.node_name = host.name;
  fake.address = host.address;
  fake.role = std::string(to_string(role));
  fake.waits = true;
  fake.token_uses = 0;
  fake.service_account_key = "a key";
  fake.publish(fake.desired(1));
}

std::string FakeCoordinatorRig::new_token() {
  fake.token_uses = 1;
  return fake.credential;
}

void FakeCoordinatorRig::change_state() {
  fake.publish(fake.desired(fake.published->revision + 1));
}

void FakeCoordinatorRig::remove_node() {
  fake.remove_node();
}

void FakeCoordinatorRig::go_away() {
  fake.refusal = make_error(Errc::unavailable, "connection refused");
}

std::string FakeCoordinatorRig::start_probe() {
  fake.probe = "0123456789abcdef";
  return fake.probe;
}

std::string FakeCoordinatorRig::reported_phase() {
  return fake.reports.empty() ? "" : fake.reports.back().phase;
}

RealCoordinatorRig::RealCoordinatorRig(NodeRole role) : host("node-1", 11, role) {
  cluster.start();
  const std::vector<http::Endpoint> endpoints = {{"127.0.0.1", cluster.app->port()}};
  adapter = std::make_unique<HttpCoordinator>(io.executor(), endpoints);
}

std::string RealCoordinatorRig::pin() {
  return Certificate::from_pem(cluster.admin_cluster.ca_certificate)->sha256_hex();
}

std::string RealCoordinatorRig::new_token() {
  return cluster.new_token(1, std::string(to_string(host.role)));
}

void RealCoordinatorRig::change_state() {
  ++others;
  SimulatedAgent other("other-" + std::to_string(others), 20 + others);
  Caller caller = cluster.anonymous();
  other.accept(caller.send(other.join_message(cluster.new_token())));
}

void RealCoordinatorRig::remove_node() {
  CHECK(cluster.admin().remove("/v1/nodes/node-1").status == 204);
}

void RealCoordinatorRig::go_away() {
  cluster.stop();
}

std::string RealCoordinatorRig::start_probe() {
  return as<proto::NetworkProbe>(cluster.admin().post("/v1/network/probe", "")).id;
}

std::string RealCoordinatorRig::reported_phase() {
  return as<proto::NodeView>(cluster.admin().get("/v1/nodes/node-1")).phase;
}

proto::DesiredState state_in(const Result<std::optional<SyncNews>>& answer) {
  REQUIRE(answer);
  REQUIRE(answer->has_value());
  auto state = proto::decode<proto::DesiredState>((*answer)->json);
  if (!state) FAIL(state.error().message);
  return std::move(*state);
}

SyncPosition position_of(const proto::DesiredState& state, bool at_once) {
  return {state.epoch, state.revision, state.revision, at_once};
}

}  // namespace slipway::test
