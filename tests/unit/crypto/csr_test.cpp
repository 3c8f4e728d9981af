#include "common/crypto/csr.hpp"

#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "common/crypto/der.hpp"
#include "common/crypto/pem.hpp"
#include "tests/unit/crypto/foreign_csr.hpp"

using namespace slipway;
using namespace slipway::test;
using Catch::Matchers::Contains;

namespace {

constexpr const char* k_label = "CERTIFICATE REQUEST";

std::string der_of(const std::string& pem) {
  return pem_decode_one(pem, k_label).value();
}
std::string pem_of(const std::string& der) {
  return pem_encode(k_label, der);
}

std::string refusal(const std::string& pem) {
  const auto parsed = parse_csr(pem);
  if (parsed) return "accepted";
  CHECK(parsed.error().code == Errc::invalid);
  return parsed.error().message;
}

std::string good_csr() {
  return make_csr(PrivateKey::generate_p256().value()).value();
}

// Puts `with` in the place of `what`, both of the same length, once.
std::string patched(std::string der, std::string_view what, std::string_view with) {
  REQUIRE(what.size() == with.size());
  const auto at = der.find(what);
  REQUIRE(at != std::string::npos);
  return der.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("a request of ours passes the gate and gives the key", "[crypto][csr]") {
  const auto key = PrivateKey::generate_p256().value();
  const auto csr = parse_csr(make_csr(key).value());
  REQUIRE(csr);
  CHECK(csr->spki_der == key.spki_der());
  CHECK(csr->spki_sha256_hex == key.spki_sha256_hex());
  CHECK(csr->key_type == KeyType::p256);
  const auto rsa = PrivateKey::generate_rsa2048().value();
  CHECK(parse_csr(make_csr(rsa).value())->key_type == KeyType::rsa);
}

TEST_CASE("OpenSSL reads our request and verifies its proof", "[crypto][csr]") {
  const auto pem = good_csr();
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509_REQ* request = PEM_read_bio_X509_REQ(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  REQUIRE(request != nullptr);
  CHECK(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1);
  CHECK(X509_NAME_entry_count(X509_REQ_get_subject_name(request)) == 0);
  CHECK(X509_REQ_get_attr_count(request) == 0);
  X509_REQ_free(request);
}

TEST_CASE("plain requests of other software pass", "[crypto][csr]") {
  CHECK(parse_csr(foreign_csr(ec_key("P-256").get()))->key_type == KeyType::p256);
  CHECK(parse_csr(foreign_csr(ec_key("P-384").get()))->key_type == KeyType::p384);
  CsrWish sha384;
  sha384.md = EVP_sha384();
  CHECK(parse_csr(foreign_csr(ec_key("P-384").get(), sha384)));
  CHECK(parse_csr(foreign_csr(rsa_key(3072).get()))->key_type == KeyType::rsa);
  CHECK(parse_csr(foreign_csr(rsa_key(4096).get(), sha384)));
}

TEST_CASE("keys that are not accepted are named", "[crypto][csr]") {
  CHECK_THAT(refusal(foreign_csr(rsa_key(1024).get())), Contains("1024 bits"));
  CHECK_THAT(refusal(foreign_csr(rsa_key(2048, 3).get())), Contains("exponent is not 65537"));
  CHECK_THAT(refusal(foreign_csr(ec_key("P-256", true).get())), Contains("explicit curve parameters"));
  CHECK_THAT(refusal(foreign_csr(ec_key("P-256", false, true).get())), Contains("uncompressed"));
  CHECK_THAT(refusal(foreign_csr(ec_key("prime192v1").get())), Contains("curve 1.2.840.10045.3.1.1"));
  CHECK_THAT(refusal(foreign_csr(ec_key("P-224").get())), Contains("1.3.132.0.33"));
  CHECK_THAT(refusal(foreign_csr(ec_key("secp256k1").get())), Contains("1.3.132.0.10"));
  CHECK_THAT(refusal(foreign_csr(ec_key("P-521").get())), Contains("1.3.132.0.35"));
  CsrWish plain;
  plain.md = nullptr;
  CHECK_THAT(refusal(foreign_csr(own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")).get(), plain)),
             Contains("Ed25519"));
}

TEST_CASE("a key of 16384 bits is refused by its size alone, within the size of a request or not",
          "[crypto][csr]") {
  const std::string modulus = "\x01" + std::string(2047, '\x01');
  const auto numbers =
      der::item(der::k_sequence, {der::unsigned_integer(modulus), der::unsigned_integer("\x01\x00\x01")});
  const auto oid = from_hex("06092a864886f70d0101010500").value();
  const auto spki = der::item(der::k_sequence, {der::item(der::k_sequence, oid), der::bit_string(numbers)});
  const auto verdict = check_public_key(spki);
  REQUIRE_FALSE(verdict);
  CHECK_THAT(verdict.error().message, Contains("bits; 2048 to 4096"));
}

TEST_CASE("a request that asks for anything is refused, naming it", "[crypto][csr]") {
  const auto key = ec_key("P-256");
  CsrWish wish;
  wish.common_name = "system:node:other";
  wish.organization = "system:masters";
  CHECK_THAT(refusal(foreign_csr(key.get(), wish)),
             Contains("subject \"O=system:masters,CN=system:node:other\""));
  wish = {};
  wish.san = "DNS:kubernetes.default.svc";
  CHECK_THAT(refusal(foreign_csr(key.get(), wish)), Contains("extensions subjectAltName"));
  wish.key_usage = "keyCertSign";
  CHECK_THAT(refusal(foreign_csr(key.get(), wish)), Contains("subjectAltName, keyUsage"));
  wish = {};
  wish.challenge = "hunter2secret";
  const auto text = refusal(foreign_csr(key.get(), wish));
  CHECK_THAT(text, Contains("challengePassword"));
  CHECK_THAT(text, !Contains("hunter2secret"));
}

TEST_CASE("foreign names cannot write into logs", "[crypto][csr]") {
  CsrWish wish;
  wish.common_name = "a\r\nlevel=error admin\x1b[31m";
  const auto text = refusal(foreign_csr(ec_key("P-256").get(), wish));
  for (const char c : text) CHECK(static_cast<unsigned char>(c) >= 0x20);
  wish.common_name = std::string(64, 'x');
  wish.organization = std::string(64, 'y');
  CHECK(refusal(foreign_csr(ec_key("P-256").get(), wish)).size() < 300);
}

TEST_CASE("weak signature algorithms are refused", "[crypto][csr]") {
  CsrWish wish;
  wish.md = EVP_sha1();
  CHECK_THAT(refusal(foreign_csr(ec_key("P-256").get(), wish)),
             Contains("signature algorithm 1.2.840.10045.4.1"));
  wish.md = EVP_md5();
  CHECK_THAT(refusal(foreign_csr(rsa_key(2048).get(), wish)),
             Contains("signature algorithm 1.2.840.113549.1.1.4"));
}

TEST_CASE("proof of possession: altered, foreign and mismatched signatures", "[crypto][csr]") {
  const auto der = der_of(good_csr());
  std::string altered = der;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  CHECK_THAT(refusal(pem_of(altered)), Contains("no proof of possession"));
  // Another key put into a signed request.
  const auto mine = PrivateKey::generate_p256().value(), other = PrivateKey::generate_p256().value();
  const auto swapped = patched(der_of(make_csr(mine).value()), mine.spki_der(), other.spki_der());
  CHECK_THAT(refusal(pem_of(swapped)), Contains("no proof of possession"));
  // ECDSA key, RSA algorithm.
  const auto info = der.substr(0, der.find(from_hex("300a06082a8648ce3d040302").value()));
  const auto body = der::only(der, der::k_sequence)->content;
  der::Reader reader(body);
  const auto first = reader.next()->whole;
  const auto rsa = from_hex("300d06092a864886f70d01010b0500").value();
  reader.next();
  const auto forged = der::item(der::k_sequence, {first, rsa, reader.next()->whole});
  CHECK_THAT(refusal(pem_of(forged)), Contains("does not fit"));
}

TEST_CASE("a point that is not on its curve is refused", "[crypto][csr]") {
  const auto key = PrivateKey::generate_p256().value();
  std::string spki = key.spki_der();
  spki.back() = static_cast<char>(spki.back() ^ 1);
  CHECK_THAT(refusal(pem_of(patched(der_of(make_csr(key).value()), key.spki_der(), spki))),
             Contains("no proof of possession"));
}

TEST_CASE("every truncation and every added byte is refused", "[crypto][csr]") {
  const auto der = der_of(good_csr());
  for (std::size_t size = 0; size < der.size(); ++size) {
    INFO(size);
    CHECK(refusal(pem_of(der.substr(0, size))) != "accepted");
  }
  CHECK(refusal(pem_of(der + '\0')) != "accepted");
  CHECK(refusal(pem_of(der + der)) != "accepted");
}

TEST_CASE("no single wrong byte gets through", "[crypto][csr]") {
  const auto der = der_of(good_csr());
  for (std::size_t at = 0; at < der.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string wrong = der;
      wrong[at] = static_cast<char>(wrong[at] ^ flip);
      INFO(at << " ^ " << flip);
      CHECK(refusal(pem_of(wrong)) != "accepted");
    }
  }
}

TEST_CASE("the wrapping is strict", "[crypto][csr]") {
  const auto pem = good_csr();
  CHECK(parse_csr("\n" + pem + "\n"));
  CHECK_THAT(refusal(pem + pem), Contains("there are 2"));
  CHECK_THAT(refusal(pem + "x"), Contains("text outside"));
  CHECK_THAT(refusal(""), Contains("empty"));
  CHECK_THAT(refusal(std::string(65536, 'A')), Contains("65536 bytes"));
  CHECK_THAT(refusal(pem + std::string(65536, '\n')), Contains("at most 4096"));
  CHECK_THAT(refusal(pem_encode("CERTIFICATE", der_of(pem))), Contains("another kind"));
  CHECK_THAT(refusal(pem_encode("NEW CERTIFICATE REQUEST", der_of(pem))), Contains("another kind"));
  CHECK(refusal(pem_of("\x30\x00")) != "accepted");
  CHECK(refusal(std::string(4096, '\0')) != "accepted");
}

TEST_CASE("BER lengths and other versions are refused", "[crypto][csr]") {
  const auto der = der_of(good_csr());
  const auto content = std::string(der::only(der, der::k_sequence)->content);
  std::string longer = "\x30\x83";
  longer.push_back('\0');
  longer.push_back(static_cast<char>(content.size() >> 8));
  longer.push_back(static_cast<char>(content.size()));
  CHECK(refusal(pem_of(longer + content)) != "accepted");
  std::string endless = "\x30\x80" + content;
  endless.append(2, '\0');
  CHECK(refusal(pem_of(endless)) != "accepted");
  CHECK_THAT(
      refusal(pem_of(patched(der, std::string_view("\x02\x01\x00", 3), std::string_view("\x02\x01\x01", 3)))),
      Contains("version"));
}
