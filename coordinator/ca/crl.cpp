#include "coordinator/ca/crl.hpp"

#include <string_view>

#include "common/crypto/der.hpp"
#include "common/crypto/signature_algorithm.hpp"
#include "coordinator/ca/tbs.hpp"

namespace slipway {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t k_max_entries = 250'000;  // the DER writer ends at 16 MiB
constexpr auto k_version_2 = "\x02\x01\x01"sv;
constexpr auto k_crl_number = "\x55\x1d\x14"sv;
// An entry's extensions, up to the value of its only one: reasonCode, 2.5.29.21, an ENUMERATED.
constexpr auto k_reason = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"sv;

std::string number_extension(std::uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift & 0xff));
  const auto value = der::unsigned_integer(bytes);
  const auto oid = der::item(der::k_oid, k_crl_number), content = der::item(der::k_octet_string, value);
  return der::item(der::k_sequence, {oid, content});
}

std::string entries_of(const CrlSpec& spec) {
  std::string entries;
  for (const CrlEntry& entry : spec.entries) {
    const auto serial = der::unsigned_integer(entry.serial.bytes()), date = der::time(entry.revoked_at);
    const std::string reason = std::string(k_reason) + static_cast<char>(entry.reason);
    entries += der::item(der::k_sequence, {serial, date, reason});
  }
  return entries.empty() ? entries
                         : der::item(der::k_sequence, entries);  // an empty list may not stand there
}

}  // namespace

Result<std::string> make_crl(const CertificateAuthority& ca, const CrlSpec& spec) {
  if (spec.entries.size() > k_max_entries)
    return make_error(Errc::exhausted, "a revocation list of more than " + std::to_string(k_max_entries) + " certificates is not made");
  const auto algorithm = write_signature_algorithm(ca.key.type());
  const auto from = der::time(spec.this_update), until = der::time(spec.next_update);
  const auto entries = entries_of(spec);
  const auto list = der::item(der::k_sequence, tbs::authority_key_id(ca.certificate.subject_key_id()) +
                                                   number_extension(spec.number));
  const auto extensions = der::item(der::context_tag(0, true), list);
  const auto body = der::item(der::k_sequence, {k_version_2, algorithm, ca.certificate.subject_der(), from,
                                                until, entries, extensions});
  const auto signature = ca.key.sign(body);
  if (!signature) return error_of(signature, "signing a revocation list");
  const auto kind = read_signature_algorithm(algorithm);
  if (!kind) return kind.error();
  const auto genuine = verify_signature(ca.certificate.spki_der(), *kind, body, *signature);
  if (!genuine)
    return make_error(Errc::internal, "the revocation list just signed is wrong and was discarded: " +
                                          genuine.error().message);
  return der::item(der::k_sequence, {body, algorithm, der::bit_string(*signature)});
}

}  // namespace slipway
