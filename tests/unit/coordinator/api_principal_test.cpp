#include "coordinator/api/principal.hpp"

#include <catch2/catch.hpp>

#include "coordinator/ca/file_signer.hpp"
#include "pki_fixture.hpp"

namespace slipway::api {
namespace {

using proto::Role;

std::string issue_der(CertUsage usage) {
  FileSigner signer(test::test_authority());
  const auto key = PrivateKey::generate_p256();
  const auto spec = profile(usage, test::test_input());
  REQUIRE(spec);
  const auto serial = Serial::from_random("0123456789abcdef");
  const auto issued = signer.issue(*spec, key->spki_der(), *serial, test::k_now, test::k_now + Seconds(3600));
  REQUIRE(issued);
  return issued->der;
}

Principal person(Role role) {
  Principal principal;
  principal.kind = PrincipalKind::person;
  principal.name = "alice";
  principal.role = role;
  return principal;
}

Principal agent() {
  Principal principal;
  principal.kind = PrincipalKind::agent;
  return principal;
}

TEST_CASE("certificates say who asks", "[api][principal]") {
  const std::string id = test::test_cluster().id;
  const auto nobody = principal_of("", id);
  REQUIRE(nobody);
  CHECK(nobody->kind == PrincipalKind::anonymous);

  const auto node = principal_of(issue_der(CertUsage::agent), id);
  REQUIRE(node);
  CHECK(node->kind == PrincipalKind::agent);
  CHECK(node->name == "master-1");
  CHECK(node->agent.uid == "9b2f1c1e-0000-4000-8000-00000000000a");
  CHECK(node->agent.generation == 1);
  CHECK(node->agent.serial == "30313233343536373839616263646566");

  const auto admin = principal_of(issue_der(CertUsage::operator_admin), id);
  REQUIRE(admin);
  CHECK(admin->kind == PrincipalKind::person);
  CHECK(admin->name == "alice");
  CHECK(admin->role == Role::admin);
}

TEST_CASE("certificates of other clusters and purposes are nobody's", "[api][principal]") {
  const std::string id = test::test_cluster().id;
  CHECK(principal_of(issue_der(CertUsage::agent), "another-cluster").error().code == Errc::denied);
  for (const CertUsage usage :
       {CertUsage::coordinator_serving, CertUsage::kubelet_client, CertUsage::kubeconfig_admin,
        CertUsage::kube_proxy, CertUsage::kubelet_serving, CertUsage::scheduler,
        CertUsage::front_proxy_client}) {
    INFO(to_string(usage));
    const auto principal = principal_of(issue_der(usage), id);
    REQUIRE_FALSE(principal);
    CHECK(principal.error().code == Errc::denied);
  }
  CHECK_FALSE(principal_of("not a certificate", id));
}

TEST_CASE("which connections are cut is told by what is known of them, no certificate is read again", "[api][principal]") {
  const auto peer_of = [](const Principal& who, const std::string& issuer) {
    http::Peer peer;
    peer.certificate = std::make_shared<const std::string>("no DER: reading it would find nobody");
    peer.identity = std::make_shared<const KnownPeer>(who, issuer);
    return peer;
  };
  Principal agent;
  agent.kind = PrincipalKind::agent;
  agent.name = "ada";
  agent.agent.uid = "u1";
  Principal person;
  person.kind = PrincipalKind::person;
  person.name = "ada";
  CHECK(is_agent_of(peer_of(agent, "01"), "u1"));
  CHECK_FALSE(is_agent_of(peer_of(agent, "01"), "u2"));
  CHECK_FALSE(is_agent_of(peer_of(person, "01"), ""));
  CHECK(is_operator(peer_of(person, "01"), "ada"));
  CHECK_FALSE(is_operator(peer_of(agent, "01"), "ada"));
  CaLine line;
  line.signing.key_id = "01";
  CHECK_FALSE(is_stranger(peer_of(agent, "01"), line));
  CHECK(is_stranger(peer_of(agent, "02"), line));
  CHECK_FALSE(is_stranger(peer_of(agent, ""), line));
  line.other = CaFacts{};
  line.other->key_id = "02";
  CHECK_FALSE(is_stranger(peer_of(agent, "02"), line));
  CHECK_FALSE(is_agent_of(http::Peer{}, ""));
  CHECK_FALSE(is_stranger(http::Peer{}, line));
}

TEST_CASE("every role reaches what it should and nothing more", "[api][principal]") {
  struct Row {
    Role needed;
    bool anonymous, agent, viewer, op, admin;
  };
  const Row rows[] = {
      {Role::none, true, true, true, true, true},      {Role::agent, false, true, false, false, false},
      {Role::artifact, false, true, true, true, true}, {Role::viewer, false, false, true, true, true},
      {Role::op, false, false, false, true, true},     {Role::admin, false, false, false, false, true}};
  for (const Row& row : rows) {
    INFO(proto::to_string(row.needed));
    CHECK(static_cast<bool>(authorize(row.needed, Principal{})) == row.anonymous);
    CHECK(static_cast<bool>(authorize(row.needed, agent())) == row.agent);
    CHECK(static_cast<bool>(authorize(row.needed, person(Role::viewer))) == row.viewer);
    CHECK(static_cast<bool>(authorize(row.needed, person(Role::op))) == row.op);
    CHECK(static_cast<bool>(authorize(row.needed, person(Role::admin))) == row.admin);
  }
  CHECK(authorize(Role::viewer, Principal{}).error().code == Errc::unauthenticated);
  CHECK(authorize(Role::admin, person(Role::op)).error().code == Errc::denied);
}

}  // namespace
}  // namespace slipway::api
