#pragma once
// The object identifiers we read and write, as DER content octets.
#include <string_view>

namespace slipway::oid {
using namespace std::string_view_literals;  // NOLINT: literals only, inside this namespace

// Keys and curves: RFC 3279, 5480, 8410.
inline constexpr auto k_ec_public_key = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
inline constexpr auto k_p256 = "\x2a\x86\x48\xce\x3d\x03\x01\x07"sv;
inline constexpr auto k_p384 = "\x2b\x81\x04\x00\x22"sv;
inline constexpr auto k_rsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
inline constexpr auto k_ed25519 = "\x2b\x65\x70"sv;
// Signatures: RFC 4055, 5758.
inline constexpr auto k_ecdsa_sha256 = "\x2a\x86\x48\xce\x3d\x04\x03\x02"sv;
inline constexpr auto k_ecdsa_sha384 = "\x2a\x86\x48\xce\x3d\x04\x03\x03"sv;
inline constexpr auto k_rsa_sha256 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"sv;
inline constexpr auto k_rsa_sha384 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"sv;
inline constexpr auto k_rsa_sha512 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"sv;
// Name attributes: X.520.
inline constexpr auto k_common_name = "\x55\x04\x03"sv;
inline constexpr auto k_organization = "\x55\x04\x0a"sv;
// Extensions: RFC 5280 4.2.
inline constexpr auto k_subject_key_id = "\x55\x1d\x0e"sv;
inline constexpr auto k_key_usage = "\x55\x1d\x0f"sv;
inline constexpr auto k_subject_alt_name = "\x55\x1d\x11"sv;
inline constexpr auto k_basic_constraints = "\x55\x1d\x13"sv;
inline constexpr auto k_name_constraints = "\x55\x1d\x1e"sv;
inline constexpr auto k_authority_key_id = "\x55\x1d\x23"sv;
inline constexpr auto k_extended_key_usage = "\x55\x1d\x25"sv;
inline constexpr auto k_server_auth = "\x2b\x06\x01\x05\x05\x07\x03\x01"sv;
inline constexpr auto k_client_auth = "\x2b\x06\x01\x05\x05\x07\x03\x02"sv;
// PKCS#9 attributes of requests.
inline constexpr auto k_challenge_password = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"sv;
inline constexpr auto k_extension_request = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"sv;

}  // namespace slipway::oid
