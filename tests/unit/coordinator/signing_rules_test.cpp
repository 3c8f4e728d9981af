#include "coordinator/domain/signing_rules.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway::test {
namespace {

using Catch::Matchers::Contains;

CertSpec made(CertUsage usage, const ProfileInput& input) {
  auto spec = profile(usage, input);
  if (!spec) FAIL(to_string(usage) << ": " << spec.error().message);
  if (usage == CertUsage::coordinator_serving) add_own_host(*spec);
  return *spec;
}

ProfileInput worker() {
  ProfileInput input = test_input();
  input.node.name = "web-1";
  input.node.master = false;
  input.node.addresses = {IpAddress::parse("10.77.0.21").value()};
  return input;
}

Validity lives(const CertSpec& spec, const Lifetimes& lifetimes = {}, WallTime now = k_now) {
  return validity_of(spec.validity, lifetimes, now);
}

TEST_CASE("what a profile makes is what the signer makes of it", "[signer][rules]") {
  ProfileInput master = test_input();
  SECTION("as it is") {}
  SECTION("the API server's endpoint is the master's address") {
    master.cluster.api_endpoint_host = "10.77.0.10";
  }
  SECTION("with further names, one of them an address") {
    master.cluster.api_extra_names = {"api.example.org", "10.77.0.99"};
  }
  SECTION("two addresses") {
    master.node.addresses.push_back(IpAddress::parse("10.77.0.11").value());
  }
  for (const CertUsage usage : k_cert_usages) {
    const CertSpec spec = made(usage, master);
    INFO(to_string(usage));
    const Status allowed = check_profile(spec, master.cluster);
    CHECK((allowed ? "" : allowed.error().message) == std::string());
    CHECK(check_validity(spec, lives(spec), {}, k_now));
  }
  for (const CertUsage usage : usages_of_node())
    CHECK(check_profile(made(usage, worker()), worker().cluster));
}

TEST_CASE("whatever differs from the profile is refused", "[signer][rules]") {
  const auto refused = [](CertUsage usage, auto change) {
    CertSpec spec = made(usage, test_input());
    change(spec);
    const Status allowed = check_profile(spec, test_cluster());
    return !allowed && allowed.error().code == Errc::denied;
  };
  for (const CertUsage usage : k_cert_usages) {
    INFO(to_string(usage));
    if (usage != CertUsage::coordinator_bootstrap)
      CHECK(refused(usage, [](CertSpec& s) { s.organization = "system:masters"; }));
    CHECK(refused(usage, [](CertSpec& s) { s.organization += "x"; }));
    CHECK(refused(usage, [](CertSpec& s) { s.common_name = ""; }));
    CHECK(refused(usage, [](CertSpec& s) { s.common_name = "system:admin"; }));
    CHECK(refused(usage,
                  [](CertSpec& s) { s.issuer = s.issuer == CaKind::etcd ? CaKind::fabric : CaKind::etcd; }));
    CHECK(refused(usage, [](CertSpec& s) { s.eku.server_auth = !s.eku.server_auth; }));
    CHECK(refused(usage, [](CertSpec& s) { s.eku.client_auth = !s.eku.client_auth; }));
    CHECK(refused(usage, [](CertSpec& s) { s.dns_names.push_back("bank.example.org"); }));
    CHECK(refused(usage, [](CertSpec& s) { s.uris.push_back("urn:other"); }));
    CHECK(
        refused(usage, [](CertSpec& s) { s.ip_addresses.push_back(IpAddress::parse("192.0.2.7").value()); }));
    CHECK(refused(usage, [](CertSpec& s) {
      s.validity =
          s.validity == ValidityClass::operators ? ValidityClass::coordinator : ValidityClass::operators;
    }));
  }
}

TEST_CASE("names and addresses of the control plane are nobody else's", "[signer][rules]") {
  const auto refused = [](const CertSpec& spec) { return !check_profile(spec, test_cluster()); };
  CertSpec serving = made(CertUsage::kubelet_serving, worker());
  CHECK_FALSE(refused(serving));
  for (const char* name :
       {"kubernetes.default.svc", "localhost", "coordinator", "a.cluster.local", "UPPER", "10.0.0.1"}) {
    INFO(name);
    CertSpec other = serving;
    other.common_name = std::string("system:node:") + name;
    other.dns_names = {name};
    CHECK(refused(other));
    CertSpec client = made(CertUsage::kubelet_client, worker());
    client.common_name = std::string("system:node:") + name;
    CHECK(refused(client));
  }
  for (const char* address : {"10.0.0.1", "10.10.3.4", "127.0.0.1", "10.78.0.1"}) {
    INFO(address);
    CertSpec other = serving;
    other.ip_addresses = {IpAddress::parse(address).value()};
    CHECK(refused(other));
  }
  CertSpec agent = made(CertUsage::agent, worker());
  agent.uris = {agent_uri("99999999-2222-4333-8444-555555555555", worker().node.uid, 1)};
  CHECK(refused(agent));  // another cluster's
}

TEST_CASE("lives are the settings', by the signer's own clock", "[signer][rules]") {
  const Lifetimes lifetimes;
  const auto refusal = [&](CertUsage usage, Validity validity) {
    const Status allowed = check_validity(made(usage, test_input()), validity, lifetimes, k_now);
    return allowed ? std::string() : allowed.error().message;
  };
  for (const CertUsage usage : k_cert_usages) {
    INFO(to_string(usage));
    const Validity right = lives(made(usage, test_input()));
    CHECK(refusal(usage, right) == "");
    // A request that took its time.
    CHECK(refusal(usage, {right.not_before - Seconds(120), right.not_after - Seconds(120)}) == "");
    CHECK_THAT(refusal(usage, {right.not_before, right.not_after + Seconds(3600)}),
               Contains("longer than the settings"));
    CHECK_THAT(refusal(usage, {k_now + Seconds(7200), k_now + Seconds(7500)}), Contains("in the future"));
    CHECK_THAT(refusal(usage, {k_now - Seconds(7200), k_now + Seconds(60)}), Contains("long before now"));
  }
}

TEST_CASE("settings may follow as on a living cluster", "[signer][rules]") {
  const SigningRules now{test_cluster(), {}};
  const auto refused = [&now](auto change) {
    SigningRules next = now;
    change(next);
    return !check_rules_change(now, next);
  };
  CHECK_FALSE(refused([](SigningRules&) {}));
  CHECK_FALSE(refused([](SigningRules& r) { r.cluster.node_cidrs.clear(); }));
  CHECK_FALSE(refused([](SigningRules& r) { r.cluster.coordinator_names = {"10.77.0.12"}; }));
  CHECK_FALSE(
      refused([](SigningRules& r) { r.cluster.pod_cidrs.push_back(Cidr::parse("10.20.0.0/16").value()); }));
  CHECK_FALSE(
      refused([](SigningRules& r) { r.cluster.service_cidrs = {Cidr::parse("10.0.0.0/15").value()}; }));
  CHECK_FALSE(refused([](SigningRules& r) { r.lifetimes.node = Seconds(3600); }));
  CHECK(refused([](SigningRules& r) { r.cluster.id[0] = '2'; }));
  CHECK(refused([](SigningRules& r) { r.cluster.name = "other"; }));
  CHECK(refused([](SigningRules& r) { r.cluster.api_endpoint_host = "evil.example.org"; }));
  CHECK(refused([](SigningRules& r) { r.cluster.service_cidrs = {Cidr::parse("10.99.0.0/16").value()}; }));
  CHECK(refused([](SigningRules& r) { r.cluster.service_cidrs.clear(); }));
  CHECK(refused([](SigningRules& r) { r.lifetimes.admin = Seconds(13 * 3600); }));
  CHECK(refused([](SigningRules& r) { r.lifetimes.bootstrap = Seconds(3600); }));
  CHECK(refused([](SigningRules& r) { r.lifetimes.operators = Seconds(800L * 86400); }));
  CHECK(refused([](SigningRules& r) { r.lifetimes.node = Seconds(0); }));
}

}  // namespace
}  // namespace slipway::test
