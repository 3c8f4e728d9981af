#include "common/crypto/private_key.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "tests/unit/crypto/foreign_csr.hpp"

using namespace slipway;
using namespace slipway::test;
using Catch::Matchers::Contains;

TEST_CASE("a key survives the way through PEM", "[crypto]") {
  const auto key = PrivateKey::generate_p256().value();
  const auto pem = key.to_pem().value();
  CHECK(std::string(pem.reveal()).starts_with("-----BEGIN PRIVATE KEY-----\n"));
  const auto again = PrivateKey::from_pem(pem);
  REQUIRE(again);
  CHECK(again->spki_der() == key.spki_der());
  CHECK(again->key_id().size() == 20);
  CHECK(again->spki_sha256_hex() == sha256_hex(key.spki_der()));
}

TEST_CASE("signatures verify with the key's public half only", "[crypto]") {
  for (const bool rsa : {false, true}) {
    const auto key = rsa ? PrivateKey::generate_rsa2048().value() : PrivateKey::generate_p256().value();
    const auto other = PrivateKey::generate_p256().value();
    const auto algorithm = rsa ? SignatureAlgorithm::rsa_sha256 : SignatureAlgorithm::ecdsa_sha256;
    const auto signature = key.sign("message").value();
    CHECK(verify_signature(key.spki_der(), algorithm, "message", signature));
    CHECK_FALSE(verify_signature(key.spki_der(), algorithm, "messagf", signature));
    CHECK_FALSE(verify_signature(key.spki_der(), algorithm, "message", signature + "x"));
    CHECK_FALSE(verify_signature(key.spki_der(), algorithm, "message", ""));
    CHECK_FALSE(verify_signature(other.spki_der(), algorithm, "message", signature));
  }
}

TEST_CASE("several threads sign with one key", "[crypto]") {
  const auto key = PrivateKey::generate_p256().value();
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (std::size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&key, &good, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string message = std::to_string(t) + ":" + std::to_string(i);
        const auto signature = key.sign(message);
        if (signature &&
            verify_signature(key.spki_der(), SignatureAlgorithm::ecdsa_sha256, message, *signature))
          ++good[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const int count : good) CHECK(count == 100);
}

TEST_CASE("key files: one unencrypted block of an accepted kind", "[crypto]") {
  const auto refusal = [](const std::string& pem) {
    const auto key = PrivateKey::from_pem(Secret(pem));
    return key ? std::string("accepted") : key.error().message;
  };
  const auto good = private_pem(ec_key("P-256").get());
  CHECK(refusal(good) == "accepted");
  CHECK(refusal(good + good) != "accepted");
  CHECK(refusal("") != "accepted");
  CHECK(refusal(good.substr(0, good.size() / 2)) != "accepted");
  CHECK_THAT(refusal(private_pem(ec_key("P-256").get(), "pass")), Contains("unencrypted"));
  CHECK_THAT(refusal(private_pem(rsa_key(1024).get())), Contains("1024 bits"));
  CHECK_THAT(refusal(private_pem(ec_key("P-256", true).get())), Contains("explicit"));
  CHECK_THAT(refusal(private_pem(ec_key("secp256k1").get())), Contains("curve"));
  CHECK(refusal(std::string(20000, 'x')) != "accepted");
}

TEST_CASE("certificates of the wrong shape are refused with the reason", "[crypto]") {
  CHECK_FALSE(Certificate::from_pem(""));
  CHECK_FALSE(Certificate::from_der(""));
  CHECK_FALSE(Certificate::from_der(std::string(70000, '0')));
  CHECK_FALSE(Certificate::from_pem(foreign_csr(ec_key("P-256").get())));
  CHECK_FALSE(Certificate::chain_from_pem("no pem"));
}
