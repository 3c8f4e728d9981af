#pragma once
// CAs and keys as files. Private to this folder but for the layout:
//
//   <dir>/                          0700
//   <dir>/<kind>-ca.crt             0644  PEM; an intermediate is followed by its issuers up to the root
//   <dir>/<kind>-ca.key             0600  PEM, PKCS#8, plain or encrypted
//   <dir>/<kind>-ca.uri             0600  instead of the key: where it is ("pkcs11:..."), for one that cannot be copied
//   <dir>/<kind>-ca-<number>.crt, .key, .uri      CAs after the first, see coordinator/domain/ca_rotation.hpp
//   <dir>/service-account.key       0600  PEM, PKCS#8, RSA, plain or encrypted
//   <dir>/service-account.pub       0644  PEM
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ca/authority.hpp"

namespace slipway {

// `suffix`: "crt", "key", "uri".
std::string ca_file(const std::string& dir, CaKind kind, std::uint64_t number, std::string_view suffix);

// Refuses what somebody else owns or can write, with the command that mends it.
Status check_owner(const std::string& path);

// Plain, or opened with the passphrase. Errc::denied: others can read it, there is no passphrase for an encrypted one, or it is
// the wrong one; each with the cure. Errc::not_found.
Result<PrivateKey> read_key(const std::string& path, const Secret* passphrase);
// Encrypted when there is a passphrase.
Status write_key(const std::string& path, const PrivateKey& key, const Secret* passphrase, std::optional<FileOwner> owner);

// With the key beside it, and the two belong together.
Result<CertificateAuthority> read_ca(const std::string& dir, CaKind kind, std::uint64_t number, const Secret* passphrase);
Status write_ca(const std::string& dir, CaKind kind, const CertificateAuthority& ca, const Secret* passphrase,
                std::optional<FileOwner> owner);

// The certificates in a <kind>-ca.crt: the CA, its issuers.
Result<std::vector<Certificate>> read_ca_chain(const std::string& path);
// Fills in what follows from the chain. The caller has checked that they belong together.
CertificateAuthority assemble_ca(std::uint64_t number, const std::vector<Certificate>& chain, PrivateKey key);

}  // namespace slipway
