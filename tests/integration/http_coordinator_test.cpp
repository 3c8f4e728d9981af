// The agent's client of coordinators where one of several is away, or is not ours.
#include <catch2/catch.hpp>

#include "coordinator/app.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/coordinator_rigs.hpp"
#include "tests/support/pki.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

TEST_CASE("not one byte of a join reaches a server with another CA", "[coordinator-api]") {
  const TestCert root = make_root("fabric CA");
  const TestCert server = issue_server(root);
  RawTlsServer rogue(server.certificate_pem + root.certificate_pem, server.key_pem);
  IoTest io;
  HttpCoordinator adapter(io.executor(), {{"127.0.0.1", rogue.port()}});
  const SimulatedAgent host("node-1", 11);
  const JoinTrust trusts[] = {{std::string(64, 'a'), ""}, {"", make_root("fabric CA").certificate_pem}};
  for (const JoinTrust& trust : trusts) {
    const auto joined = io.run(adapter.join(host.join_request("abc123.secret"), trust));
    CHECK(code_of(joined) == Errc::unauthenticated);
  }
  rogue.stop();
  CHECK(rogue.connections() == 2);
  CHECK(rogue.application_bytes() == 0);
}

// An address of ours where nobody listens, then the coordinator.
struct TwoAddresses {
  static std::uint16_t closed_port() {
    const TestCert root = make_root("nobody");
    return RawTlsServer(root.certificate_pem, root.key_pem).port();
  }
  explicit TwoAddresses(RealCoordinatorRig& rig)
      : adapter(rig.io.executor(), {{"127.0.0.1", closed_port()}, {"127.0.0.1", rig.cluster.app->port()}}) {
    const KeyPair pair{rig.host.certificates.at("agent"), rig.host.keys.at("agent").to_pem().value()};
    REQUIRE(adapter.use_identity(rig.host.reply.ca_bundles.at("fabric"), pair));
  }
  HttpCoordinator adapter;
};

TEST_CASE("the second address is tried when the first does not answer", "[coordinator-api]") {
  RealCoordinatorRig rig;
  join_host(rig);
  TwoAddresses two(rig);
  CHECK(rig.io.run(two.adapter.join(rig.host.join_request(""), {rig.pin(), ""})));
  CHECK(rig.io.run(two.adapter.report({})));
  CHECK(rig.io.run(two.adapter.renew({rig.host.csrs})));
}

TEST_CASE("calls at the same time find the second address each", "[coordinator-api]") {
  RealCoordinatorRig rig;
  join_host(rig);
  TwoAddresses two(rig);
  Cancelable<std::optional<SyncNews>> syncing(rig.io, two.adapter.sync({}));
  Cancelable<void> reporting(rig.io, two.adapter.report({}));
  Cancelable<proto::RenewReply> renewing(rig.io, two.adapter.renew({rig.host.csrs}));
  CHECK(code_of(syncing.wait()) == std::nullopt);
  CHECK(code_of(reporting.wait()) == std::nullopt);
  CHECK(code_of(renewing.wait()) == std::nullopt);
}

}  // namespace
}  // namespace slipway::test
