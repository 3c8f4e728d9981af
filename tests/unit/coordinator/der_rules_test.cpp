// Each rule with a certificate that breaks it and nothing else. The certificates are put together here, byte by byte.
#include "coordinator/ca/der_rules.hpp"

#include <openssl/x509.h>

#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "common/crypto/random.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

const Validity k_authority{k_now - Seconds(3600), k_now + Seconds(365 * 86400)};

std::string bytes(const std::string& hex) { return *from_hex(hex); }

std::string tlv(int tag, const std::string& content) {
  std::string out(1, static_cast<char>(tag));
  const std::size_t size = content.size();
  if (size >= 0x100) {
    out += std::string{'\x82', static_cast<char>(size >> 8), static_cast<char>(size)};
  } else if (size >= 0x80) {
    out += std::string{'\x81', static_cast<char>(size)};
  } else {
    out += static_cast<char>(size);
  }
  return out + content;
}

std::string utf8_rdn(const std::string& oid, const std::string& value, int tag = 0x0c) {
  return tlv(0x31, tlv(0x30, tlv(0x06, bytes(oid)) + tlv(tag, value)));
}
std::string extension(const std::string& oid, const std::string& mark, const std::string& value) {
  return tlv(0x30, tlv(0x06, bytes(oid)) + mark + tlv(0x04, value));
}

const std::string k_true = bytes("0101ff");
const std::string k_cn = "550403", k_o = "55040a";
const std::string k_server = bytes("06082b06010505070301"), k_client = bytes("06082b06010505070302");

// A good certificate in parts; the signature is none, as no rule asks whether it is genuine.
struct Draft {
  std::string version = bytes("a003020102");
  std::string serial = bytes("02107f00112233445566778899aabbccddee");
  std::string algorithm = bytes("300a06082a8648ce3d040302"), outer_algorithm = algorithm;
  std::string issuer = tlv(0x30, utf8_rdn(k_cn, "an authority"));
  std::string from = tlv(0x17, "261122115500Z"), until = tlv(0x17, "261123120000Z");
  std::string subject = tlv(0x30, utf8_rdn(k_o, "system:nodes") + utf8_rdn(k_cn, "system:node:a"));
  std::string spki;
  std::string unique_id;
  std::string key_usage = extension("551d0f", k_true, bytes("03020780"));
  std::string usages = extension("551d25", "", tlv(0x30, k_server));
  std::string constraints = extension("551d13", k_true, bytes("3000"));
  std::string subject_id = extension("551d0e", "", tlv(0x04, std::string(20, 's')));
  std::string authority_id = extension("551d23", "", tlv(0x30, tlv(0x80, std::string(20, 'a'))));
  std::string names = extension("551d11", "", tlv(0x30, tlv(0x82, "a") + tlv(0x87, bytes("0a4d000b"))));
  std::string more;
  std::string order = "kucsan";  // which extension stands where
  std::string signature = tlv(0x03, std::string(1, '\0') + "signature");
  std::string tail;

  Draft() : spki(PrivateKey::generate_p256()->spki_der()) {}
  std::string der() const {
    std::string extensions;
    for (const char c : order) {
      extensions += c == 'k' ? key_usage : c == 'u' ? usages : c == 'c' ? constraints : c == 's' ? subject_id : c == 'a' ? authority_id : names;
    }
    const std::string body = tlv(0x30, version + serial + algorithm + issuer + tlv(0x30, from + until) + subject + spki + unique_id +
                                           tlv(0xa3, tlv(0x30, extensions + more)));
    return tlv(0x30, body + outer_algorithm + signature) + tail;
  }
};

std::string verdict(const std::string& der, std::size_t usages = 1) {
  const auto checked = check_der_rules(der, usages, {k_authority, "aaaaaaaaaaaaaaaaaaaa"});
  if (checked) return "good";
  CHECK(checked.error().code == Errc::internal);
  return checked.error().message;
}

struct Case {
  const char* name;
  void (*change)(Draft&);
  const char* rule;  // part of the error's text
};

const Case k_cases[] = {
    {"bytes behind it", [](Draft& d) { d.tail = "x"; }, "bytes behind it"},
    {"another certificate behind it", [](Draft& d) { d.tail = Draft().der(); }, "bytes behind it"},
    {"version 1", [](Draft& d) { d.version.clear(); }, "version is not 3"},
    {"version 2", [](Draft& d) { d.version = bytes("a003020101"); }, "version is not 3"},
    {"serial zero", [](Draft& d) { d.serial = bytes("020100"); }, "serial number is zero"},
    {"serial negative", [](Draft& d) { d.serial = tlv(0x02, "\xff" + std::string(15, 'x')); }, "serial number is negative"},
    {"serial padded", [](Draft& d) { d.serial = tlv(0x02, std::string(1, '\0') + std::string(15, 'x')); }, "spare octets"},
    {"serial of 21 octets", [](Draft& d) { d.serial = tlv(0x02, std::string(21, 'x')); }, "longer than 20 octets"},
    {"serial of 20 octets with the top bit", [](Draft& d) { d.serial = tlv(0x02, std::string(1, '\0') + std::string(20, '\x81')); }, "longer than 20 octets"},
    {"short serial", [](Draft& d) { d.serial = tlv(0x02, std::string(7, 'x')); }, "fewer than 64 bits"},
    {"two algorithms", [](Draft& d) { d.outer_algorithm = bytes("300a06082a8648ce3d040303"); }, "signature algorithms differ"},
    {"signature with spare bits", [](Draft& d) { d.signature = tlv(0x03, "\x04signature"); }, "spare bits"},
    {"UTCTime written as GeneralizedTime", [](Draft& d) { d.until = tlv(0x18, "20261123120000Z"); }, "wrong form"},
    {"no seconds", [](Draft& d) { d.until = tlv(0x17, "2611231200Z"); }, "a date in it"},
    {"a zone", [](Draft& d) { d.until = tlv(0x17, "261123120000+0000"); }, "a date in it"},
    {"a thirtieth of February", [](Draft& d) { d.until = tlv(0x17, "270230120000Z"); }, "a date in it"},
    {"ends before it begins", [](Draft& d) { d.until = d.from; }, "ends before it begins"},
    {"begins before its authority", [](Draft& d) { d.from = tlv(0x17, "251122115500Z"); }, "begins before its authority"},
    {"outlives its authority", [](Draft& d) { d.until = tlv(0x17, "301123120000Z"); }, "outlives its authority"},
    {"outlives all", [](Draft& d) { d.until = tlv(0x18, "99991231235959Z"); }, "outlives its authority"},
    {"no subject", [](Draft& d) { d.subject = bytes("3000"); }, "not CN, or O and CN"},
    {"CN before O", [](Draft& d) { d.subject = tlv(0x30, utf8_rdn(k_cn, "a") + utf8_rdn(k_o, "b")); }, "not CN, or O and CN"},
    {"two CN", [](Draft& d) { d.subject = tlv(0x30, utf8_rdn(k_cn, "a") + utf8_rdn(k_cn, "b")); }, "not CN, or O and CN"},
    {"two O", [](Draft& d) { d.subject = tlv(0x30, utf8_rdn(k_o, "a") + utf8_rdn(k_o, "b") + utf8_rdn(k_cn, "c")); }, "not CN, or O and CN"},
    {"a part with two values",
     [](Draft& d) {
       const auto pair = [](const std::string& oid) { return tlv(0x30, tlv(0x06, bytes(oid)) + tlv(0x0c, "a")); };
       d.subject = tlv(0x30, tlv(0x31, pair(k_cn) + pair(k_o)));
     },
     "several values"},
    {"CN in UTF-16", [](Draft& d) { d.subject = tlv(0x30, utf8_rdn(k_cn, std::string("\0a", 2), 0x1e)); }, "not UTF-8"},
    {"empty CN", [](Draft& d) { d.subject = tlv(0x30, utf8_rdn(k_cn, "")); }, "not UTF-8"},
    {"a unique id", [](Draft& d) { d.unique_id = tlv(0x82, std::string("\0x", 2)); }, "something but extensions"},
    {"no extended key usage", [](Draft& d) { d.order = "kcsan"; }, "extension 2.5.29.37 is missing"},
    {"no basic constraints", [](Draft& d) { d.order = "kusan"; }, "extension 2.5.29.19 is missing"},
    {"no key usage", [](Draft& d) { d.order = "ucsan"; }, "extension 2.5.29.15 is missing"},
    {"no subject key id", [](Draft& d) { d.order = "kucan"; }, "extension 2.5.29.14 is missing"},
    {"no authority key id", [](Draft& d) { d.order = "kucsn"; }, "extension 2.5.29.35 is missing"},
    {"the key id of another authority", [](Draft& d) { d.authority_id = extension("551d23", "", tlv(0x30, tlv(0x80, std::string(20, 'b')))); }, "not that of its authority"},
    {"a part of the authority's key id", [](Draft& d) { d.authority_id = extension("551d23", "", tlv(0x30, tlv(0x80, std::string(19, 'a')))); }, "not that of its authority"},
    {"an empty authority key id", [](Draft& d) { d.authority_id = extension("551d23", "", tlv(0x30, tlv(0x80, ""))); }, "not that of its authority"},
    {"another order", [](Draft& d) { d.order = "kcusan"; }, "has no place there"},
    {"an extension twice", [](Draft& d) { d.order = "kucsann"; }, "stands twice"},
    {"an unknown extension", [](Draft& d) { d.more = extension("2a030405", "", bytes("0500")); }, "extension 1.2.3.4.5 has no place"},
    {"name constraints", [](Draft& d) { d.more = extension("551d1e", k_true, tlv(0x30, "")); }, "has no place there"},
    {"key usage not critical", [](Draft& d) { d.key_usage = extension("551d0f", "", bytes("03020780")); }, "marked wrongly"},
    {"constraints not critical", [](Draft& d) { d.constraints = extension("551d13", "", bytes("3000")); }, "marked wrongly"},
    {"extended key usage critical", [](Draft& d) { d.usages = extension("551d25", k_true, tlv(0x30, k_server)); }, "marked wrongly"},
    {"critical FALSE written", [](Draft& d) { d.usages = extension("551d25", bytes("010100"), tlv(0x30, k_server)); }, "not TRUE"},
    {"critical TRUE as one", [](Draft& d) { d.key_usage = extension("551d0f", bytes("010101"), bytes("03020780")); }, "not TRUE"},
    {"key usage keyCertSign", [](Draft& d) { d.key_usage = extension("551d0f", k_true, bytes("03020204")); }, "key usage"},
    {"key usage keyEncipherment for EC", [](Draft& d) { d.key_usage = extension("551d0f", k_true, bytes("030205a0")); }, "key usage"},
    {"key usage with spare bits", [](Draft& d) { d.key_usage = extension("551d0f", k_true, bytes("03020080")); }, "key usage"},
    {"two extended key usages", [](Draft& d) { d.usages = extension("551d25", "", tlv(0x30, k_server + k_client)); }, "number of extended key usages"},
    {"the same usage twice", [](Draft& d) { d.usages = extension("551d25", "", tlv(0x30, k_server + k_server)); }, "usage stands twice"},
    {"any usage", [](Draft& d) { d.usages = extension("551d25", "", tlv(0x30, bytes("0604551d2500"))); }, "neither serverAuth"},
    {"an empty usage", [](Draft& d) { d.usages = extension("551d25", "", tlv(0x30, "")); }, "number of extended key usages"},
    {"CA:TRUE", [](Draft& d) { d.constraints = extension("551d13", k_true, bytes("30030101ff")); }, "end entity"},
    {"CA:FALSE written", [](Draft& d) { d.constraints = extension("551d13", k_true, bytes("3003010100")); }, "end entity"},
    {"a path length", [](Draft& d) { d.constraints = extension("551d13", k_true, bytes("3003020100")); }, "end entity"},
    {"a short subject key id", [](Draft& d) { d.subject_id = extension("551d0e", "", tlv(0x04, "abc")); }, "subject key identifier"},
    {"an authority by name", [](Draft& d) { d.authority_id = extension("551d23", "", tlv(0x30, tlv(0x80, std::string(20, 'a')) + tlv(0x82, "x"))); }, "key id alone"},
    {"no names in the names", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, "")); }, "names are empty"},
    {"the same name twice", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x82, "a") + tlv(0x82, "a"))); }, "name stands twice"},
    {"a wildcard", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x82, "*.a"))); }, "other letters"},
    {"a name in capitals", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x82, "A"))); }, "other letters"},
    {"a NUL in a name", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x82, std::string("a\0b", 3)))); }, "other letters"},
    {"an empty name", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x82, ""))); }, "kind or form"},
    {"an address of five octets", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x87, "abcde"))); }, "kind or form"},
    {"an e-mail address", [](Draft& d) { d.names = extension("551d11", "", tlv(0x30, tlv(0x81, "a@b"))); }, "kind or form"},
    {"bytes behind an extension's value", [](Draft& d) { d.constraints = extension("551d13", k_true, bytes("300000")); }, "not one DER value"},
    {"BER inside of an extension", [](Draft& d) { d.usages = extension("551d25", "", bytes("30810a") + k_server); }, "not one DER value"},
};

}  // namespace

TEST_CASE("a good certificate keeps the DER rules", "[pki][rules]") {
  Draft draft;
  CHECK(verdict(draft.der()) == "good");
  // OpenSSL reads it, too: the drafts of this file are certificates but for the one fault.
  const std::string der = draft.der();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  X509* read = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
  CHECK(read != nullptr);
  X509_free(read);
  draft.order = "kucsa";
  CHECK(verdict(draft.der()) == "good");
  draft.usages = extension("551d25", "", tlv(0x30, k_server + k_client));
  CHECK(verdict(draft.der(), 2) == "good");
  draft.spki = PrivateKey::generate_rsa2048()->spki_der();
  draft.key_usage = extension("551d0f", k_true, bytes("030205a0"));
  CHECK(verdict(draft.der(), 2) == "good");
}

TEST_CASE("each DER rule is noticed when it is broken", "[pki][rules]") {
  for (const Case& one : k_cases) {
    Draft draft;
    one.change(draft);
    const std::string said = verdict(draft.der());
    INFO(one.name << ": " << said);
    CHECK(said.find(one.rule) != std::string::npos);
  }
}

TEST_CASE("other encodings of the same certificate break the DER rules", "[pki][rules]") {
  const std::string good = Draft().der();
  const std::string content = good.substr(4);
  REQUIRE(good[1] == '\x82');
  CHECK(verdict(std::string("\x30\x83\0", 3) + good.substr(2, 2) + content) != "good");
  CHECK(verdict("\x30\x80" + content + std::string(2, '\0')) != "good");
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(verdict(good.substr(0, size)) != "good");
}

TEST_CASE("all that the signer makes keeps the DER rules", "[pki][rules]") {
  FileSigner signer(test_authority());
  const auto key = PrivateKey::generate_p256();
  for (const auto usage : k_cert_usages) {
    INFO(to_string(usage));
    const auto spec = profile(usage, test_input()).value();
    const auto& ca = test_authority().ca(spec.issuer).certificate;
    const auto validity = validity_of(spec.validity, {}, k_now);
    const auto cert = signer.issue(spec, key->spki_der(), *Serial::from_random(random_bytes(16)), validity.not_before, validity.not_after);
    REQUIRE(cert);
    const std::size_t usages = (spec.eku.server_auth ? 1U : 0U) + (spec.eku.client_auth ? 1U : 0U);
    const std::string key_id = ca.subject_key_id();
    CHECK(check_der_rules(cert->der, usages, {{ca.not_before(), ca.not_after()}, key_id}));
    CHECK((usages == 1 || usage == CertUsage::etcd_peer || usage == CertUsage::etcd_server));
  }
}
