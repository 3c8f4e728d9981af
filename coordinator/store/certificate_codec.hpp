#pragma once
// The stored form of a certificate record since layout 2. A start reads a million: bytes, no field names, and nothing of what
// stands in the key. Whole numbers in big endian; a varint is LEB128 with the low seven bits first.
//
//   1   0x02, the marker: JSON, the form of layout 1, begins with "{"
//   1   usage: its place in k_stored_usages (certificate_codec.cpp)
//   8   notBefore, 8 notAfter: seconds since 1970, two's complement
//   32  SHA-256 of the DER, 32 SHA-256 of the public key
//       varint generation, varint number of the CA
//       varint length and node uid, varint length and subject, as text; nothing behind
//
// Pure; any bytes may be given to the decoder.
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "coordinator/domain/certificate_ledger.hpp"

namespace slipway {

bool is_compact_certificate(std::string_view value);  // by its marker
std::string encode_certificate(const CompactCertificate& certificate);
// Views into both. Errc::corrupt says what is wrong with the value; the caller knows the key. `serial`: bytes, from the key.
Result<CompactCertificate> decode_certificate(std::string_view serial, std::string_view value);

}  // namespace slipway
