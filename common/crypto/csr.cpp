#include "common/crypto/csr.hpp"

#include <optional>
#include <vector>

#include "common/crypto/der.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/name.hpp"
#include "common/crypto/oid.hpp"
#include "common/crypto/pem.hpp"
#include "common/crypto/signature_algorithm.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_label = "CERTIFICATE REQUEST";
constexpr std::size_t k_max_shown = 96;  // characters of a foreign name in an error text

Error refuse(std::string_view why) {
  return make_error(Errc::invalid, "certificate request refused: " + std::string(why));
}

Error broken(std::string_view part) {
  return refuse(std::string(part) + " is not valid DER");
}

struct CsrParts {
  der::Item info;
  std::string_view version, subject, spki, attributes;  // spki and subject whole, the others content only
  std::string_view algorithm;
  std::string_view signature;
};

Result<CsrParts> take_apart(std::string_view csr) {
  const auto outer = der::only(csr, der::k_sequence);
  if (!outer) return broken("it (or there are bytes behind it)");
  der::Reader fields(outer->content);
  const auto info = fields.next(der::k_sequence), algorithm = fields.next(der::k_sequence);
  const auto bits = fields.next(der::k_bit_string);
  if (!info || !algorithm || !bits || !fields.at_end()) return broken("its outline");
  const auto signature = der::whole_bits(*bits);
  der::Reader parts(info->content);
  const auto version = parts.next(der::k_integer);
  const auto subject = parts.next(der::k_sequence), spki = parts.next(der::k_sequence);
  const auto attributes = parts.next(der::context_tag(0, true));
  if (!signature || !version || !subject || !spki || !attributes || !parts.at_end())
    return broken("its body");
  return CsrParts{*info,       version->content,    subject->whole,
                  spki->whole, attributes->content, algorithm->whole,
                  *signature};
}

std::string extension_label(std::string_view oid) {
  if (oid == oid::k_subject_alt_name) return "subjectAltName";
  if (oid == oid::k_basic_constraints) return "basicConstraints";
  if (oid == oid::k_key_usage) return "keyUsage";
  if (oid == oid::k_extended_key_usage) return "extendedKeyUsage";
  if (oid == oid::k_name_constraints) return "nameConstraints";
  return der::oid_text(oid);
}

// "extensions subjectAltName, keyUsage" of an extensionRequest's value; just "extensions" when it cannot be
// read.
std::string extension_list(std::string_view values) {
  std::string text = "extensions";
  der::Reader set(values);
  const auto list = set.next(der::k_sequence);
  if (!list) return text;
  der::Reader extensions(list->content);
  const char* separator = " ";
  while (const auto extension = extensions.next(der::k_sequence)) {
    der::Reader fields(extension->content);
    const auto oid = fields.next(der::k_oid);
    if (!oid || text.size() > k_max_shown) break;
    text += separator + extension_label(oid->content);
    separator = ", ";
  }
  return text;
}

// What the first attribute asks for. Values are left out: a challengePassword is a secret.
Error refuse_attributes(std::string_view attributes) {
  der::Reader list(attributes);
  const auto attribute = list.next(der::k_sequence);
  if (!attribute) return broken("its list of attributes");
  der::Reader fields(attribute->content);
  const auto oid = fields.next(der::k_oid), values = fields.next(der::k_set);
  if (!oid || !values) return broken("an attribute");
  std::string asked = "attribute " + der::oid_text(oid->content);
  if (oid->content == oid::k_challenge_password) asked = "a challengePassword";
  if (oid->content == oid::k_extension_request) asked = extension_list(values->content);
  return refuse("it asks for " + asked + "; a request may carry nothing but the key");
}

Status check_asks_nothing(const CsrParts& csr) {
  const auto subject = read_name(csr.subject);
  if (!subject) return refuse(subject.error().message);
  if (!subject->empty()) {
    return refuse("it asks for subject \"" + name_text(*subject).substr(0, k_max_shown) +
                  "\"; the subject must be empty");
  }
  if (!csr.attributes.empty()) return refuse_attributes(csr.attributes);
  return {};
}

}  // namespace

Result<std::string> make_csr(const PrivateKey& key) {
  using namespace std::string_view_literals;
  constexpr auto k_version = "\x02\x01\x00"sv, k_no_subject = "\x30\x00"sv, k_no_attributes = "\xa0\x00"sv;
  const auto info = der::item(der::k_sequence, {k_version, k_no_subject, key.spki_der(), k_no_attributes});
  const auto signature = key.sign(info);
  if (!signature) return error_of(signature, "making a certificate request");
  const auto algorithm = write_signature_algorithm(key.type());
  return pem_encode(k_label, der::item(der::k_sequence, {info, algorithm, der::bit_string(*signature)}));
}

Result<CsrKey> parse_csr(std::string_view pem) {
  if (pem.size() > k_max_csr_pem) {
    return refuse("it has " + std::to_string(pem.size()) + " bytes, at most " +
                  std::to_string(k_max_csr_pem) + " are read");
  }
  const auto bytes = pem_decode_one(pem, k_label);
  if (!bytes) return refuse(bytes.error().message);
  const auto csr = take_apart(*bytes);
  if (!csr) return csr.error();
  if (csr->version != std::string_view("\0", 1)) return refuse("its version is not 1");
  const auto type = check_public_key(csr->spki);
  if (!type) return refuse(type.error().message);
  const auto nothing_else = check_asks_nothing(*csr);
  if (!nothing_else) return nothing_else.error();
  const auto algorithm = read_signature_algorithm(csr->algorithm);
  if (!algorithm) return refuse(algorithm.error().message);
  const auto possession = verify_signature(csr->spki, *algorithm, csr->info.whole, csr->signature);
  if (!possession) return refuse("no proof of possession: " + possession.error().message);
  return CsrKey{std::string(csr->spki), sha256_hex(csr->spki), *type};
}

}  // namespace slipway
