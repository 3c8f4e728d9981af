#include "coordinator/ca/tbs.hpp"

#include "common/crypto/der.hpp"
#include "common/crypto/oid.hpp"
#include "common/crypto/signature_algorithm.hpp"

namespace slipway::tbs {

namespace {

using namespace std::string_view_literals;

constexpr auto k_true = "\x01\x01\xff"sv;
constexpr auto k_version_3 = "\xa0\x03\x02\x01\x02"sv;

std::string extension(std::string_view oid, bool critical, std::string_view value) {
  const auto type = der::item(der::k_oid, oid);
  const auto content = der::item(der::k_octet_string, value);
  return der::item(der::k_sequence, {type, critical ? k_true : ""sv, content});
}

// GeneralSubtree with minimum 0 and no maximum, the only form RFC 5280 allows.
std::string subtree(int kind, std::string_view value) {
  return der::item(der::k_sequence, der::item(der::context_tag(kind, false), value));
}

// Address and mask, one after the other.
std::string address_block(const Cidr& block) {
  std::string bytes = block.base().bytes();
  const std::size_t size = bytes.size();
  for (std::size_t i = 0; i < size; ++i) {
    int bits = block.prefix_length() - static_cast<int>(i) * 8;
    bits = bits < 0 ? 0 : bits > 8 ? 8 : bits;
    bytes.push_back(static_cast<char>(0xff00 >> bits));
  }
  return bytes;
}

}  // namespace

Result<std::string> sign(const Body& body, const PrivateKey& key) {
  const auto serial = der::unsigned_integer(body.serial);
  const auto algorithm = write_signature_algorithm(key.type());
  const auto from = der::time(body.validity.not_before), until = der::time(body.validity.not_after);
  const auto validity = der::item(der::k_sequence, {from, until});
  const auto list = der::item(der::k_sequence, body.extensions);
  const auto extensions = der::item(der::context_tag(3, true), list);
  const auto to_sign = der::item(der::k_sequence, {k_version_3, serial, algorithm, body.issuer, validity,
                                                   body.subject, body.spki, extensions});
  const auto signature = key.sign(to_sign);
  if (!signature) return error_of(signature, "signing a certificate");
  return der::item(der::k_sequence, {to_sign, algorithm, der::bit_string(*signature)});
}

std::string leaf_key_usage(bool rsa) {
  return extension(oid::k_key_usage, true, rsa ? "\x03\x02\x05\xa0"sv : "\x03\x02\x07\x80"sv);
}

std::string ca_key_usage() {
  return extension(oid::k_key_usage, true, "\x03\x02\x01\x06"sv);
}

std::string leaf_constraints() {
  return extension(oid::k_basic_constraints, true, "\x30\x00"sv);
}

std::string ca_constraints() {
  return extension(oid::k_basic_constraints, true, "\x30\x06\x01\x01\xff\x02\x01\x00"sv);
}

std::string extended_key_usage(UsageBits bits) {
  const auto server = der::item(der::k_oid, oid::k_server_auth),
             client = der::item(der::k_oid, oid::k_client_auth);
  const auto list = der::item(der::k_sequence, {bits.server_auth ? std::string_view(server) : ""sv,
                                                bits.client_auth ? std::string_view(client) : ""sv});
  return extension(oid::k_extended_key_usage, false, list);
}

std::string subject_key_id(std::string_view key_id) {
  return extension(oid::k_subject_key_id, false, der::item(der::k_octet_string, key_id));
}

std::string authority_key_id(std::string_view key_id) {
  const auto id = der::item(der::context_tag(0, false), key_id);
  return extension(oid::k_authority_key_id, false, der::item(der::k_sequence, id));
}

std::string alt_names(const CertSpec& spec) {
  std::string names;
  for (const auto& name : spec.dns_names) names += der::item(der::context_tag(2, false), name);
  for (const auto& address : spec.ip_addresses)
    names += der::item(der::context_tag(7, false), address.bytes());
  for (const auto& uri : spec.uris) names += der::item(der::context_tag(6, false), uri);
  if (names.empty()) return names;
  return extension(oid::k_subject_alt_name, false, der::item(der::k_sequence, names));
}

std::string name_constraints(const NameConstraints& constraints) {
  std::string permitted, excluded;
  for (const auto& block : constraints.permitted_addresses) permitted += subtree(7, address_block(block));
  for (const auto& name : constraints.excluded_names) excluded += subtree(2, name);
  for (const auto& block : constraints.excluded_addresses) excluded += subtree(7, address_block(block));
  std::string content;
  if (!permitted.empty()) content += der::item(der::context_tag(0, true), permitted);
  if (!excluded.empty()) content += der::item(der::context_tag(1, true), excluded);
  return extension(oid::k_name_constraints, true, der::item(der::k_sequence, content));
}

}  // namespace slipway::tbs
