#include <openssl/x509_vfy.h>

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "common/crypto/name.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/cert_check.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/ca/tbs.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

using namespace slipway;
using namespace slipway::test;
using Catch::Matchers::Contains;

namespace {

const PrivateKey& leaf_key() {
  static const PrivateKey key = PrivateKey::generate_p256().value();
  return key;
}

Serial fresh_serial() {
  return Serial::from_random(random_bytes(16)).value();
}

Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki = leaf_key().spki_der()) {
  FileSigner signer(test_authority());
  const auto validity = validity_of(spec.validity, {}, k_now);
  return signer.issue(spec, spki, fresh_serial(), validity.not_before, validity.not_after);
}

CertSpec spec_of(CertUsage usage) {
  return profile(usage, test_input()).value();
}

const std::string& pem_of(CaKind kind) {
  return test_authority().ca(kind).pem;
}

}  // namespace

TEST_CASE("every usage verifies under its authority for its purpose, and under no other", "[pki]") {
  for (const auto usage : k_cert_usages) {
    INFO(to_string(usage));
    const auto spec = spec_of(usage);
    const auto cert = issue(spec);
    REQUIRE(cert);
    for (const auto kind : k_ca_kinds) {
      INFO("under " << to_string(kind));
      for (const bool server : {false, true}) {
        const bool purpose = server ? spec.eku.server_auth : spec.eku.client_auth;
        const int error = openssl_verify(cert->der, pem_of(kind), {server, "", "", k_now});
        if (kind != spec.issuer) {
          CHECK(error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        } else {
          CHECK(error == (purpose ? 0 : X509_V_ERR_INVALID_PURPOSE));
        }
      }
    }
  }
}

TEST_CASE("serving certificates answer to their names and to no other", "[pki]") {
  const auto kubelet = issue(spec_of(CertUsage::kubelet_serving)).value();
  const auto& ca = pem_of(CaKind::kubelet_serving);
  CHECK(openssl_verify(kubelet.der, ca, {true, "master-1", "", k_now}) == 0);
  CHECK(openssl_verify(kubelet.der, ca, {true, "", "10.77.0.10", k_now}) == 0);
  CHECK(openssl_verify(kubelet.der, ca, {true, "other", "", k_now}) == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(openssl_verify(kubelet.der, ca, {true, "", "10.77.0.11", k_now}) == X509_V_ERR_IP_ADDRESS_MISMATCH);
  const auto api = issue(spec_of(CertUsage::apiserver_serving)).value();
  for (const char* host : {"kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
                           "localhost", "api.example.org"}) {
    CHECK(openssl_verify(api.der, pem_of(CaKind::apiserver), {true, host, "", k_now}) == 0);
  }
  for (const char* ip : {"10.0.0.1", "10.77.0.10", "127.0.0.1"}) {
    CHECK(openssl_verify(api.der, pem_of(CaKind::apiserver), {true, "", ip, k_now}) == 0);
  }
}

TEST_CASE("the kubelet-serving authority's constraints hold even when the signer is tricked", "[pki]") {
  const auto verdict = [](const std::string& dns, const std::string& ip) {
    auto spec = spec_of(CertUsage::kubelet_serving);
    spec.dns_names = dns.empty() ? std::vector<std::string>{"worker-1"} : std::vector<std::string>{dns};
    spec.ip_addresses = {IpAddress::parse(ip.empty() ? "10.77.0.11" : ip).value()};
    return openssl_verify(issue(spec).value().der, pem_of(CaKind::kubelet_serving), {true, "", "", k_now});
  };
  CHECK(verdict("worker-1", "10.77.0.11") == 0);
  CHECK(verdict("w.example.org", "10.77.0.255") == 0);
  for (const char* dns : {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                          "kubernetes.default.svc.cluster.local", "x.svc", "localhost", "a.cluster.local"}) {
    INFO(dns);
    CHECK(verdict(dns, "") == X509_V_ERR_EXCLUDED_VIOLATION);
  }
  for (const char* ip : {"10.0.0.1", "10.10.1.1", "127.0.0.1", "169.254.169.254"}) {
    INFO(ip);
    const int error = verdict("", ip);
    CHECK((error == X509_V_ERR_EXCLUDED_VIOLATION || error == X509_V_ERR_PERMITTED_VIOLATION));
  }
  CHECK(verdict("", "10.77.1.1") == X509_V_ERR_PERMITTED_VIOLATION);
  CHECK(verdict("", "192.0.2.1") == X509_V_ERR_PERMITTED_VIOLATION);
  CHECK(verdict("", "fd00::1") == X509_V_ERR_PERMITTED_VIOLATION);
}

TEST_CASE("the certificate reads back as it was ordered", "[pki]") {
  const auto spec = spec_of(CertUsage::kubelet_client);
  const auto issued = issue(spec).value();
  const auto cert = Certificate::from_pem(issued.pem).value();
  CHECK(cert.der() == issued.der);
  CHECK(cert.sha256_hex() == issued.sha256_hex);
  CHECK(cert.serial_hex() == issued.serial_hex);
  CHECK(cert.subject() == "O=system:nodes,CN=system:node:master-1");
  CHECK(cert.organizations() == std::vector<std::string>{"system:nodes"});
  CHECK_FALSE(cert.has_san());
  CHECK(cert.has_eku(Eku::client_auth));
  CHECK_FALSE(cert.has_eku(Eku::server_auth));
  CHECK(cert.not_before() == issued.not_before);
  CHECK(cert.not_after() == issued.not_after);
  CHECK(cert.matches(leaf_key()));
  CHECK(cert.verify_issued_by(test_authority().ca(CaKind::kube_client).certificate));
  CHECK_FALSE(cert.verify_issued_by(test_authority().ca(CaKind::fabric).certificate));
}

TEST_CASE("keyEncipherment is for RSA keys alone", "[pki]") {
  const auto rsa = PrivateKey::generate_rsa2048().value();
  const auto cert =
      Certificate::from_der(issue(spec_of(CertUsage::kubelet_client), rsa.spki_der()).value().der).value();
  CHECK(cert.has_key_usage(KeyUsage::key_encipherment));
  CHECK(openssl_verify(cert.der(), pem_of(CaKind::kube_client), {}) == 0);
  const auto ec = Certificate::from_der(issue(spec_of(CertUsage::kubelet_client)).value().der).value();
  CHECK_FALSE(ec.has_key_usage(KeyUsage::key_encipherment));
}

TEST_CASE("a truncated or altered certificate is not read or does not verify", "[pki]") {
  const auto der = issue(spec_of(CertUsage::kubelet_serving)).value().der;
  const auto& ca = test_authority().ca(CaKind::kubelet_serving).certificate;
  for (std::size_t size = 0; size < der.size(); ++size)
    CHECK_FALSE(Certificate::from_der(der.substr(0, size)));
  for (std::size_t at = 0; at < der.size(); ++at) {
    std::string wrong = der;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x04);
    const auto cert = Certificate::from_der(wrong);
    INFO(at);
    CHECK_FALSE((cert && cert->verify_issued_by(ca)));
  }
}

TEST_CASE("certificates end with their authority, which does not sign once it has expired", "[pki]") {
  FileSigner signer(test_authority());
  const auto spec = spec_of(CertUsage::agent);
  const auto& ca = test_authority().ca(CaKind::fabric).certificate;
  const auto issue_at = [&](WallTime from, WallTime until) {
    return signer.issue(spec, leaf_key().spki_der(), fresh_serial(), from, until);
  };
  const auto late = issue_at(ca.not_after() - Seconds(60), ca.not_after() + Seconds(86400));
  REQUIRE(late);
  CHECK(late->not_after == ca.not_after());
  const auto early = issue_at(ca.not_before() - Seconds(86400), k_now);
  REQUIRE(early);
  CHECK(early->not_before == ca.not_before());
  const auto expired = issue_at(ca.not_after(), ca.not_after() + Seconds(1));
  REQUIRE_FALSE(expired);
  CHECK(expired.error().code == Errc::unavailable);
  CHECK_FALSE(issue_at(k_now, k_now));
  CHECK_FALSE(issue_at(ca.not_before() - Seconds(20), ca.not_before() - Seconds(10)));
}

TEST_CASE("a life that crosses 2050 is written in both time forms and verifies", "[pki]") {
  const WallTime now = *parse_rfc3339("2049-12-31T20:00:00Z");
  const auto authority = Authority::create(test_cluster(), now).value();
  FileSigner signer(authority);
  const auto spec = spec_of(CertUsage::agent);
  const auto validity = validity_of(spec.validity, {}, now);
  const auto cert =
      signer.issue(spec, leaf_key().spki_der(), fresh_serial(), validity.not_before, validity.not_after);
  REQUIRE(cert);
  CHECK(openssl_verify(cert->der, signer.ca_pem(CaKind::fabric), {false, "", "", now + Seconds(6 * 3600)}) ==
        0);
  CHECK(openssl_verify(cert->der, signer.ca_pem(CaKind::fabric), {false, "", "", now + Seconds(30 * 3600)}) ==
        X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_CASE("the signer refuses specifications that no profile makes", "[pki]") {
  const auto refusal = [](CertUsage usage, auto change) {
    auto spec = spec_of(usage);
    change(spec);
    const auto cert = issue(spec);
    return cert ? Errc::internal : cert.error().code;
  };
  CHECK(refusal(CertUsage::kubelet_client, [](CertSpec& s) { s.organization = "system:masters"; }) ==
        Errc::denied);
  CHECK(refusal(CertUsage::agent, [](CertSpec& s) { s.organization = "slipway:admin"; }) == Errc::denied);
  CHECK(refusal(CertUsage::agent, [](CertSpec& s) { s.issuer = CaKind::kube_client; }) == Errc::denied);
  CHECK(refusal(CertUsage::kube_proxy, [](CertSpec& s) { s.common_name = "system:kube-scheduler"; }) ==
        Errc::denied);
  CHECK(refusal(CertUsage::kubeconfig_admin, [](CertSpec& s) { s.common_name = "system:admin"; }) ==
        Errc::denied);
  CHECK(refusal(CertUsage::kubelet_client, [](CertSpec& s) { s.common_name.clear(); }) == Errc::denied);
  // system:masters is nobody's but the coordinator's own.
  for (const auto usage : k_cert_usages) {
    const bool own = usage == CertUsage::coordinator_bootstrap;
    if (!own) CHECK(refusal(usage, [](CertSpec& s) { s.organization = "system:masters"; }) == Errc::denied);
    else CHECK(refusal(usage, [](CertSpec& s) { s.common_name = "alice"; }) == Errc::denied);
  }
  CHECK(refusal(CertUsage::kubelet_client, [](CertSpec& s) { s.dns_names = {"a"}; }) == Errc::denied);
  CHECK(refusal(CertUsage::kubelet_client, [](CertSpec& s) { s.eku.server_auth = true; }) == Errc::denied);
  CHECK(refusal(CertUsage::apiserver_serving, [](CertSpec& s) { s.dns_names = {"*.example.org"}; }) ==
        Errc::denied);
  FileSigner signer(test_authority());
  const auto bad_key =
      signer.issue(spec_of(CertUsage::agent), "not a key", fresh_serial(), k_now, k_now + Seconds(60));
  CHECK(bad_key.error().code == Errc::invalid);
}

TEST_CASE("the check before release notices every difference", "[pki]") {
  const auto spec = spec_of(CertUsage::kubelet_serving);
  const auto serial = fresh_serial();
  const auto& ca = test_authority().ca(spec.issuer);
  const Validity validity{k_now, k_now + Seconds(3600)};
  const auto key_id = key_identifier(leaf_key().spki_der()).value();
  const auto subject = write_name(spec.organization, spec.common_name);
  const std::string usage = tbs::leaf_key_usage(false), eku = tbs::extended_key_usage(spec.eku),
                    basic = tbs::leaf_constraints(), ski = tbs::subject_key_id(key_id),
                    aki = tbs::authority_key_id(ca.key.key_id()), san = tbs::alt_names(spec);
  const auto verdict = [&](const tbs::Body& body) -> std::string {
    const auto cert = Certificate::from_der(tbs::sign(body, ca.key).value());
    if (!cert) return cert.error().message;
    const auto checked =
        check_certificate(*cert, {spec, leaf_key().spki_der(), serial, validity}, ca.certificate);
    return checked ? "good" : checked.error().message;
  };
  const std::string right = usage + eku + basic + ski + aki + san;
  const tbs::Body good{serial.bytes(), ca.certificate.subject_der(), subject,
                       validity,       leaf_key().spki_der(),        right};
  CHECK(verdict(good) == "good");
  const auto with_extensions = [&](const std::string& extensions) {
    auto body = good;
    body.extensions = extensions;
    return verdict(body);
  };
  CHECK_THAT(with_extensions(usage + basic + ski + aki + san), Contains("number of extensions"));
  CHECK_THAT(with_extensions(usage + eku + basic + ski + aki), Contains("number of extensions"));
  CHECK_THAT(with_extensions(right + tbs::name_constraints({})), Contains("number of extensions"));
  CHECK_THAT(with_extensions(right + san), Contains("twice"));
  CHECK_THAT(with_extensions(usage + tbs::extended_key_usage({true, true}) + basic + ski + aki + san),
             Contains("extended key"));
  CHECK_THAT(with_extensions(usage + tbs::extended_key_usage({false, true}) + basic + ski + aki + san),
             Contains("extended key"));
  CHECK_THAT(with_extensions(tbs::ca_key_usage() + eku + basic + ski + aki + san), Contains("key usage"));
  CHECK_THAT(with_extensions(tbs::leaf_key_usage(true) + eku + basic + ski + aki + san),
             Contains("key usage"));
  CHECK_THAT(with_extensions(usage + eku + tbs::ca_constraints() + ski + aki + san),
             Contains("basic constraints"));
  CHECK_THAT(with_extensions(usage + eku + basic + tbs::subject_key_id("x") + aki + san),
             Contains("subject key"));
  CHECK_THAT(with_extensions(usage + eku + basic + ski + tbs::authority_key_id("x") + san),
             Contains("authority key"));
  auto other = spec;
  other.dns_names.push_back("kubernetes");
  CHECK_THAT(with_extensions(usage + eku + basic + ski + aki + tbs::alt_names(other)), Contains("DNS names"));
  other = spec;
  other.ip_addresses.clear();
  CHECK_THAT(with_extensions(usage + eku + basic + ski + aki + tbs::alt_names(other)),
             Contains("IP addresses"));
  auto body = good;
  const auto admin = write_name("system:masters", spec.common_name);
  body.subject = admin;
  CHECK_THAT(verdict(body), Contains("organization"));
  body = good;
  const std::string other_serial(1, '\1'), long_serial(21, '\x11'), zero(1, '\0');
  body.serial = other_serial;
  CHECK_THAT(verdict(body), Contains("serial"));
  body.serial = long_serial;
  CHECK_THAT(verdict(body), Contains("too long"));
  body.serial = zero;
  CHECK_THAT(verdict(body), Contains("not positive"));
  body = good;
  body.validity.not_after += Seconds(1);
  CHECK_THAT(verdict(body), Contains("validity"));
  body = good;
  const auto stranger = PrivateKey::generate_p256().value();
  body.spki = stranger.spki_der();
  CHECK_THAT(verdict(body), Contains("public key"));
  body = good;
  body.issuer = subject;
  CHECK_THAT(verdict(body), Contains("issuer"));
}

TEST_CASE("what opens all of kube-apiserver is never signed for long", "[pki]") {
  const auto code_for = [](CertUsage usage, Seconds life) {
    FileSigner signer(test_authority());
    const auto cert = signer.issue(spec_of(usage), leaf_key().spki_der(), fresh_serial(), k_now, k_now + life);
    return cert ? Errc::internal : cert.error().code;
  };
  CHECK(code_for(CertUsage::kubeconfig_admin, k_max_admin_life) == Errc::internal);
  CHECK(code_for(CertUsage::kubeconfig_admin, k_max_admin_life + Seconds(1)) == Errc::denied);
  CHECK(code_for(CertUsage::coordinator_bootstrap, k_max_bootstrap_life) == Errc::internal);
  CHECK(code_for(CertUsage::coordinator_bootstrap, k_max_bootstrap_life + Seconds(1)) == Errc::denied);
}

TEST_CASE("several threads sign at once, no serial twice", "[pki]") {
  FileSigner signer(test_authority());
  const auto spec = spec_of(CertUsage::kubelet_serving);
  std::vector<std::vector<IssuedCert>> made(4);
  std::vector<std::thread> threads;
  for (auto& list : made) {
    threads.emplace_back([&signer, &spec, &list] {
      for (int i = 0; i < 50; ++i) {
        auto cert = signer.issue(spec, leaf_key().spki_der(), fresh_serial(), k_now, k_now + Seconds(3600));
        if (cert) list.push_back(std::move(*cert));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> serials;
  for (const auto& list : made) {
    CHECK(list.size() == 50);
    for (const auto& cert : list) serials.insert(cert.serial_hex);
  }
  CHECK(serials.size() == 200);
}
