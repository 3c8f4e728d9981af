#include "common/crypto/certificate.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "common/crypto/der.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/name.hpp"
#include "common/crypto/oid.hpp"
#include "common/crypto/pem.hpp"
#include "common/crypto/signature_algorithm.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_label = "CERTIFICATE";
constexpr std::size_t k_max_der = 65536;
constexpr std::size_t k_max_chain = 16;

Error broken(std::string_view part) {
  return make_error(Errc::invalid, "reading a certificate: " + std::string(part));
}

bool is_ascii_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string_view to_string(Eku eku) {
  return eku == Eku::server_auth ? "serverAuth" : "clientAuth";
}

// Fills a Certificate from bytes; each step returns what is wrong.
class CertificateReader {
 public:
  Result<Certificate> read(std::string_view bytes);

 private:
  // `outer_algorithm`: the AlgorithmIdentifier beside the signature; the one inside must be the same (RFC
  // 5280 4.1.1.2).
  Status read_body(std::string_view tbs, std::string_view outer_algorithm);
  Status read_names();
  Status read_validity(const der::Item& item);
  Status read_extensions(std::string_view list);
  Status read_extension(std::string_view extension);
  Status read_known(const CertExtension& extension);
  Status read_alt_names(std::string_view value);
  Status read_key_usage(std::string_view value);
  Status read_usages(std::string_view value);
  Status read_constraints(std::string_view value);
  Status read_authority_key(std::string_view value);

  Certificate cert_;
};

Result<Certificate> CertificateReader::read(std::string_view bytes) {
  if (bytes.size() > k_max_der) return broken("it is longer than 64 KiB");
  const auto outer = der::only(bytes, der::k_sequence);
  if (!outer) return broken("not valid DER");
  der::Reader fields(outer->content);
  const auto tbs = fields.next(der::k_sequence), algorithm = fields.next(der::k_sequence);
  const auto bits = fields.next(der::k_bit_string);
  if (!tbs || !algorithm || !bits || !fields.at_end()) return broken("its outline is not valid DER");
  const auto signature = der::whole_bits(*bits);
  if (!signature) return broken("its signature is not valid DER");
  const auto kind = read_signature_algorithm(algorithm->whole);
  if (!kind) return error_of(kind, "reading a certificate");
  cert_.signature_algorithm_ = *kind;
  cert_.der_ = bytes;
  cert_.tbs_der_ = tbs->whole;
  cert_.signature_ = *signature;
  if (const auto body = read_body(tbs->content, algorithm->whole); !body) return body.error();
  return std::move(cert_);
}

Status CertificateReader::read_body(std::string_view tbs, std::string_view outer_algorithm) {
  der::Reader fields(tbs);
  const auto version = fields.next(der::context_tag(0, true));
  if (!version || version->content != std::string_view("\x02\x01\x02", 3))
    return broken("its version is not 3");
  const auto serial = fields.next(der::k_integer);
  if (!serial) return broken("its serial number is missing");
  const auto number = der::positive_integer(*serial);
  if (!number || number->size() > 20) return broken("its serial number is not positive or too long");
  cert_.serial_hex_ = to_hex(*number);
  const auto algorithm = fields.next(der::k_sequence), issuer = fields.next(der::k_sequence);
  const auto validity = fields.next(der::k_sequence), subject = fields.next(der::k_sequence);
  const auto spki = fields.next(der::k_sequence);
  if (!algorithm || !issuer || !validity || !subject || !spki) return broken("its body is not valid DER");
  if (algorithm->whole != outer_algorithm) return broken("its two signature algorithms differ");
  cert_.issuer_der_ = issuer->whole;
  cert_.subject_der_ = subject->whole;
  cert_.spki_der_ = spki->whole;
  if (auto dates = read_validity(*validity); !dates) return dates;
  if (auto names = read_names(); !names) return names;
  if (fields.at_end()) return {};
  const auto wrapped = fields.next(der::context_tag(3, true));
  if (!wrapped || !fields.at_end()) return broken("there is something unknown behind its key");
  return read_extensions(wrapped->content);
}

Status CertificateReader::read_names() {
  const auto issuer = read_name(cert_.issuer_der_);
  if (!issuer) return error_of(issuer, "reading a certificate's issuer");
  const auto subject = read_name(cert_.subject_der_);
  if (!subject) return error_of(subject, "reading a certificate's subject");
  cert_.issuer_ = name_text(*issuer);
  cert_.subject_ = name_text(*subject);
  bool named = false;
  for (const auto& attribute : *subject) {
    const bool is_name = attribute.oid == oid::k_common_name;
    if (!is_name && attribute.oid != oid::k_organization) continue;
    if (!attribute.plain) return broken("its subject has an unreadable CN or O");
    if (is_name && named) return broken("its subject has more than one CN");
    named = named || is_name;
    if (is_name) {
      cert_.common_name_ = attribute.value;
    } else {
      cert_.organizations_.push_back(attribute.value);
    }
  }
  return {};
}

Status CertificateReader::read_validity(const der::Item& item) {
  der::Reader fields(item.content);
  const auto from = fields.next(), until = fields.next();
  if (!from || !until || !fields.at_end()) return broken("its validity is not valid DER");
  const auto not_before = der::read_time(*from), not_after = der::read_time(*until);
  if (!not_before || !not_after) return broken("a date in it is not valid");
  cert_.not_before_ = *not_before;
  cert_.not_after_ = *not_after;
  return {};
}

Status CertificateReader::read_extensions(std::string_view list) {
  const auto outer = der::only(list, der::k_sequence);
  if (!outer) return broken("its extensions are not valid DER");
  der::Reader extensions(outer->content);
  while (!extensions.at_end()) {
    const auto extension = extensions.next(der::k_sequence);
    if (!extension) return broken("an extension is not valid DER");
    if (auto read = read_extension(extension->content); !read) return read;
  }
  return {};
}

Status CertificateReader::read_extension(std::string_view extension) {
  der::Reader fields(extension);
  const auto type = fields.next(der::k_oid);
  bool critical = false;
  if (fields.next_is(der::k_boolean)) {
    const auto flag = fields.next(der::k_boolean);
    // DEFAULT FALSE may not be written in DER, so that only TRUE can stand here.
    if (!flag || flag->content != "\xff") return broken("an extension's critical mark is not valid DER");
    critical = true;
  }
  const auto value = fields.next(der::k_octet_string);
  if (!type || !value || !fields.at_end()) return broken("an extension is not valid DER");
  for (const auto& other : cert_.extensions_) {
    if (other.oid == type->content)
      return broken("extension " + der::oid_text(type->content) + " is there twice");
  }
  cert_.extensions_.push_back({std::string(type->content), critical, std::string(value->content)});
  return read_known(cert_.extensions_.back());
}

Status CertificateReader::read_known(const CertExtension& extension) {
  const std::string_view oid = extension.oid;
  if (oid == oid::k_subject_alt_name) return read_alt_names(extension.value);
  if (oid == oid::k_key_usage) return read_key_usage(extension.value);
  if (oid == oid::k_extended_key_usage) return read_usages(extension.value);
  if (oid == oid::k_basic_constraints) return read_constraints(extension.value);
  if (oid == oid::k_authority_key_id) return read_authority_key(extension.value);
  if (oid != oid::k_subject_key_id) return {};
  const auto id = der::only(extension.value, der::k_octet_string);
  if (!id) return broken("its subject key identifier is not valid DER");
  cert_.subject_key_id_ = id->content;
  return {};
}

Status CertificateReader::read_alt_names(std::string_view value) {
  const auto outer = der::only(value, der::k_sequence);
  if (!outer || outer->content.empty()) return broken("its alternative names are not valid DER");
  cert_.has_san_ = true;
  der::Reader names(outer->content);
  while (!names.at_end()) {
    const auto name = names.next();
    if (!name) return broken("an alternative name is not valid DER");
    if (name->tag == der::context_tag(2, false) || name->tag == der::context_tag(6, false)) {
      if (!is_ascii_text(name->content)) return broken("an alternative name is not plain ASCII");
      auto& list = name->tag == der::context_tag(2, false) ? cert_.dns_names_ : cert_.uris_;
      list.emplace_back(name->content);
    } else if (name->tag == der::context_tag(7, false)) {
      const auto address = IpAddress::from_bytes(name->content);
      if (!address) return broken("an alternative name is an address of neither 4 nor 16 bytes");
      cert_.ip_addresses_.push_back(*address);
    } else {
      cert_.has_other_names_ = true;
    }
  }
  return {};
}

Status CertificateReader::read_key_usage(std::string_view value) {
  const auto bits = der::only(value, der::k_bit_string);
  if (!bits || bits->content.size() < 2 || bits->content.size() > 3)
    return broken("its key usage is not valid DER");
  for (int bit = 0; bit < 8; ++bit) {
    if ((static_cast<unsigned char>(bits->content[1]) >> (7 - bit) & 1) != 0) cert_.key_usage_ |= 1U << bit;
  }
  return {};
}

Status CertificateReader::read_usages(std::string_view value) {
  const auto outer = der::only(value, der::k_sequence);
  if (!outer || outer->content.empty()) return broken("its extended key usage is not valid DER");
  der::Reader usages(outer->content);
  while (!usages.at_end()) {
    const auto usage = usages.next(der::k_oid);
    if (!usage) return broken("its extended key usage is not valid DER");
    cert_.eku_oids_.push_back(der::oid_text(usage->content));
  }
  return {};
}

Status CertificateReader::read_constraints(std::string_view value) {
  const auto outer = der::only(value, der::k_sequence);
  if (!outer) return broken("its basic constraints are not valid DER");
  der::Reader fields(outer->content);
  if (!fields.next_is(der::k_boolean)) return {};
  const auto flag = fields.next(der::k_boolean);
  if (!flag || flag->content != "\xff") return broken("its basic constraints are not valid DER");
  cert_.is_ca_ = true;
  return {};
}

Status CertificateReader::read_authority_key(std::string_view value) {
  const auto outer = der::only(value, der::k_sequence);
  if (!outer) return broken("its authority key identifier is not valid DER");
  der::Reader fields(outer->content);
  if (const auto id = fields.next(der::context_tag(0, false))) cert_.authority_key_id_ = id->content;
  return {};
}

Result<Certificate> Certificate::from_der(std::string_view der) {
  return CertificateReader().read(der);
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  const auto bytes = pem_decode_one(pem, k_label);
  if (!bytes) return error_of(bytes, "reading a certificate");
  return from_der(*bytes);
}

Result<std::vector<Certificate>> Certificate::chain_from_pem(std::string_view pem) {
  const auto blocks = pem_decode(pem, k_label);
  if (!blocks) return error_of(blocks, "reading certificates");
  if (blocks->size() > k_max_chain) return broken("there are more than 16 in the chain");
  std::vector<Certificate> chain;
  for (const auto& block : *blocks) {
    auto certificate = from_der(block);
    if (!certificate) return certificate.error();
    chain.push_back(std::move(*certificate));
  }
  return chain;
}

std::string Certificate::pem() const {
  return pem_encode(k_label, der_);
}
std::string Certificate::sha256_hex() const {
  return slipway::sha256_hex(der_);
}
std::string Certificate::spki_sha256_hex() const {
  return slipway::sha256_hex(spki_der_);
}

bool Certificate::has_eku(Eku eku) const {
  const auto wanted = der::oid_text(eku == Eku::server_auth ? oid::k_server_auth : oid::k_client_auth);
  return std::find(eku_oids_.begin(), eku_oids_.end(), wanted) != eku_oids_.end();
}

bool Certificate::has_key_usage(KeyUsage usage) const {
  return (key_usage_ >> static_cast<int>(usage) & 1) != 0;
}

Status Certificate::verify_issued_by(const Certificate& ca) const {
  if (issuer_der_ != ca.subject_der_)
    return make_error(Errc::invalid, "the certificate names another issuer");
  if (authority_key_id_ != ca.subject_key_id_)
    return make_error(Errc::invalid, "the certificate names another issuer key");
  return verify_by_authority(ca.spki_der_, signature_algorithm_, tbs_der_, signature_);
}

}  // namespace slipway
