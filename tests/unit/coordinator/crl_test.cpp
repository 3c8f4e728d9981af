#include "coordinator/ca/crl.hpp"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>

#include "common/crypto/random.hpp"
#include "coordinator/domain/revocation.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway {
namespace {

using namespace test;

CrlSpec spec_of(std::size_t entries) {
  CrlSpec spec{CaKind::kube_client, 7, test::k_now, test::k_now + Seconds(86400), {}};
  for (std::size_t i = 0; i < entries; ++i) spec.entries.push_back({Serial::from_random(random_bytes(16)).value(), test::k_now - Seconds(60)});
  if (entries > 1) spec.entries[1].reason = CrlReason::privilege_withdrawn;
  return spec;
}

TEST_CASE("OpenSSL reads and verifies revocation lists of any length", "[pki][crl]") {
  const auto& ca = test_authority().ca(CaKind::kube_client);
  for (const std::size_t entries : {0U, 1U, 3'000U}) {
    const auto spec = spec_of(entries);
    const auto der = make_crl(ca, spec);
    REQUIRE(der);
    const auto* at = reinterpret_cast<const unsigned char*>(der->data());
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der->size())), X509_CRL_free);
    REQUIRE(crl);
    const auto* key = reinterpret_cast<const unsigned char*>(ca.certificate.spki_der().data());
    EVP_PKEY* spki = d2i_PUBKEY(nullptr, &key, static_cast<long>(ca.certificate.spki_der().size()));
    CHECK(X509_CRL_verify(crl.get(), spki) == 1);
    EVP_PKEY_free(spki);
    CHECK(X509_CRL_get_ext_by_NID(crl.get(), NID_authority_key_identifier, -1) >= 0);
    CHECK(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl.get())) == (entries == 0 ? -1 : static_cast<int>(entries)));
    for (const CrlEntry& entry : spec.entries) {
      ASN1_INTEGER* serial = ASN1_INTEGER_new();
      BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(entry.serial.bytes().data()), static_cast<int>(entry.serial.bytes().size()), nullptr);
      BN_to_ASN1_INTEGER(number, serial);
      X509_REVOKED* found = nullptr;
      if (X509_CRL_get0_by_serial(crl.get(), &found, serial) != 1) FAIL("serial " << entry.serial.hex() << " is not on the list");
      auto* reason = static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(found, NID_crl_reason, nullptr, nullptr));
      if (ASN1_ENUMERATED_get(reason) != static_cast<long>(entry.reason)) FAIL("the reason is another");
      ASN1_ENUMERATED_free(reason);
      BN_free(number);
      ASN1_INTEGER_free(serial);
    }
  }
}

TEST_CASE("revoked is what a removed node had and what has not ended", "[pki][crl]") {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  REQUIRE(apply(state, CreateToken{demo_token("many00", 5)}, changes));
  const auto join = [&](const std::string& name, int host, const std::string& tag) {
    REQUIRE(apply(state, demo_admit(state, demo_request(name, host, "key " + tag, "many00"), "uid-" + tag, tag), changes));
  };
  join("n1", 21, "a");
  join("n2", 22, "b");
  const WallTime later = k_start + Seconds(1000);
  CHECK(revoked_certificates(state, later).empty());
  REQUIRE(apply(state, DeleteNode{"n1", later}, changes));
  auto revoked = revoked_certificates(state, later);
  REQUIRE(revoked.size() == 4);
  for (const Revoked& one : revoked) {
    CHECK(one.record.node_uid == "uid-a");
    CHECK(one.revoked_at == later);
  }
  join("n1", 23, "c");  // the name again: the old certificates stay revoked, the new ones are not
  CHECK(revoked_certificates(state, later).size() == 4);
  CHECK(revoked_certificates(state, later + Seconds(2 * 86400)).empty());  // all have ended
}

TEST_CASE("revoked is what a person had, a kubeconfig too, until it ends", "[pki][crl]") {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  const auto record = [&](const std::string& serial, CertUsage usage, const std::string& user) {
    const CertificateRecord made{serial, usage, user, "", 0, k_start, k_start + Seconds(3600), fake_hash("c" + serial), fake_hash("k" + serial)};
    REQUIRE(apply(state, RecordCertificate{{made, "PEM"}}, changes));
  };
  record("a1", CertUsage::operator_op, "vera");
  record("a2", CertUsage::kubeconfig_admin, "vera");
  record("a3", CertUsage::kubeconfig_admin, "other");
  record("a4", CertUsage::coordinator_kube_client, "vera");  // not a person's
  const WallTime now = k_start + Seconds(60);
  REQUIRE(apply(state, RevokeOperator{"vera", now}, changes));
  const auto revoked = revoked_certificates(state, now + Seconds(5));
  REQUIRE(revoked.size() == 2);
  CHECK(revoked[0].record.serial_hex() == "a1");
  CHECK(revoked[1].record.usage == CertUsage::kubeconfig_admin);
  CHECK(revoked[1].revoked_at == now);
  CHECK(revoked_certificates(state, k_start + Seconds(3600)).empty());
}

}  // namespace
}  // namespace slipway
