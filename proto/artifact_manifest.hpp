#pragma once
// The signed list of what may be installed. Text, so that whoever signs it can read it; one form for one
// content, so that the bytes that were signed say one thing only:
//
//   slipway-manifest 1
//   number 7                                     grows with each; an older one is refused
//   expires 2027-01-01T00:00:00Z                 nothing new is installed on its word from then on
//   signers 2 <key> <key> <key>                  may be absent: who signs the ones after it, and how many of
//   them must artifact kubelet 1.20.2 file 113958912 <sha256>   sorted by name and version signature <key>
//   <signature>                  Ed25519 (RFC 8032) over all lines before the first of these
//
// Keys and signatures are base64 of 32 and 64 bytes. Pure; who checks signatures passes the function that
// can.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway::proto {

struct NamedArtifact {
  std::string component;
  std::string version;
  std::string format = "file";  // file | tar
  std::uint64_t size = 0;
  std::string sha256;
  bool operator==(const NamedArtifact&) const = default;
};

struct ArtifactManifest {
  std::uint64_t number = 0;
  WallTime expires{};
  std::vector<std::string> signers;  // base64; empty: no change
  std::uint64_t threshold = 1;       // of `signers`
  std::vector<NamedArtifact> artifacts;
  bool operator==(const ArtifactManifest&) const = default;

  const NamedArtifact* find(std::string_view component, std::string_view version) const;
};

struct ManifestSignature {
  std::string key;        // base64
  std::string signature;  // 64 bytes
};

struct SignedManifest {
  ArtifactManifest manifest;
  std::string signed_bytes;
  std::vector<ManifestSignature> signatures;  // not checked; no key twice
};

inline constexpr std::size_t k_max_manifest_text = 256 * 1024;

// The bytes to sign. Sorts the artifacts.
std::string manifest_text(ArtifactManifest manifest);

// Errc::invalid with line and reason. Anything but the one form of a content is refused.
Result<SignedManifest> parse_signed_manifest(std::string_view text);

// `text` with this signature; one by the same key that is there is replaced.
Result<std::string> add_signature(std::string_view text, const ManifestSignature& signature);

// The 32 bytes of a signer's key. Errc::invalid.
Result<std::string> signer_key_bytes(std::string_view base64);

// Both are bytes.
using VerifySignature =
    std::function<bool(std::string_view key, std::string_view bytes, std::string_view signature)>;
// Those of `signers` (base64) by whom there is a good signature.
std::vector<std::string> good_signers(const SignedManifest& manifest, const std::vector<std::string>& signers,
                                      const VerifySignature& verify);

// Lists of signers as operators write them: each a key, none twice, a threshold that they can reach.
// Errc::invalid.
Status check_signers(const std::vector<std::string>& signers, std::uint64_t threshold);

}  // namespace slipway::proto
