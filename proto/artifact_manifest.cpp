#include "proto/artifact_manifest.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "common/core/text.hpp"

namespace slipway::proto {

namespace {

constexpr std::string_view k_header = "slipway-manifest 1";
constexpr std::string_view k_signature = "signature ";
constexpr std::size_t k_max_artifacts = 2000;
constexpr std::size_t k_max_signers = 16;
constexpr std::size_t k_key_bytes = 32;
constexpr std::size_t k_signature_bytes = 64;

Error bad_line(std::size_t number, std::string_view line, std::string_view why) {
  return make_error(Errc::invalid, "artifact manifest, line " + std::to_string(number) + " \"" +
                                       std::string(line.substr(0, 80)) + "\": " + std::string(why));
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~_-") ==
             std::string_view::npos;
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Everything before the signatures, which are the last lines.
std::string_view signed_part(std::string_view text) {
  if (text.starts_with(k_signature)) return {};
  const std::size_t at = text.find("\n" + std::string(k_signature));
  return at == std::string_view::npos ? text : text.substr(0, at + 1);
}

Status read_signers(const std::vector<std::string_view>& words, ArtifactManifest& manifest) {
  const auto threshold = parse_u64(words[1], k_max_signers);
  if (!threshold) return make_error(Errc::invalid, "no threshold");
  manifest.threshold = *threshold;
  for (std::size_t i = 2; i < words.size(); ++i) manifest.signers.emplace_back(words[i]);
  return check_signers(manifest.signers, manifest.threshold);
}

Status read_artifact(const std::vector<std::string_view>& words, ArtifactManifest& manifest) {
  const auto size = parse_u64(words[4]);
  if (!is_dns_label(words[1]) || !is_word(words[2]))
    return make_error(Errc::invalid, "that is no component and version");
  if (words[3] != "file" && words[3] != "tar") return make_error(Errc::invalid, "the format is file or tar");
  if (!size || *size == 0 || !is_digest(words[5]))
    return make_error(Errc::invalid, "that is no size and SHA-256");
  if (manifest.artifacts.size() == k_max_artifacts) return make_error(Errc::invalid, "too many artifacts");
  if (manifest.find(words[1], words[2]) != nullptr) return make_error(Errc::invalid, "it is named twice");
  manifest.artifacts.push_back(
      {std::string(words[1]), std::string(words[2]), std::string(words[3]), *size, std::string(words[5])});
  return {};
}

Status read_line(std::string_view line, ArtifactManifest& manifest) {
  const auto words = split(line, ' ');
  if (words[0] == "number" && words.size() == 2) {
    const auto number = parse_u64(words[1]);
    if (!number || *number == 0) return make_error(Errc::invalid, "the number is 1 or more");
    manifest.number = *number;
    return {};
  }
  if (words[0] == "expires" && words.size() == 2) {
    const auto time = parse_rfc3339(words[1]);
    if (!time) return make_error(Errc::invalid, "that is no time, as in 2027-01-01T00:00:00Z");
    manifest.expires = *time;
    return {};
  }
  if (words[0] == "signers" && words.size() >= 3) return read_signers(words, manifest);
  if (words[0] == "artifact" && words.size() == 6) return read_artifact(words, manifest);
  return make_error(Errc::invalid, "this version knows no such line");
}

Result<ArtifactManifest> read_manifest_lines(std::string_view text) {
  if (!text.ends_with('\n')) return make_error(Errc::invalid, "artifact manifest: the text is cut");
  text.remove_suffix(1);
  const auto lines = split(text, '\n');
  if (lines.front() != k_header)
    return make_error(Errc::invalid, "this is no artifact manifest: the first line is not \"" +
                                         std::string(k_header) + "\"");
  ArtifactManifest manifest;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (const Status read = read_line(lines[i], manifest); !read)
      return bad_line(i + 1, lines[i], read.error().message);
  }
  if (manifest.number == 0 || manifest.expires == WallTime{})
    return make_error(Errc::invalid, "artifact manifest: number or expires is missing");
  if (manifest_text(manifest) != std::string(text) + "\n")
    return make_error(Errc::invalid,
                      "artifact manifest: its lines are not in the one order and form that counts");
  return manifest;
}

Result<ManifestSignature> read_signature(std::string_view line) {
  const auto words = split(line, ' ');
  if (words.size() != 3 || words[0] != "signature")
    return make_error(Errc::invalid, "behind the first signature only signatures may stand");
  if (const auto key = signer_key_bytes(words[1]); !key) return key.error();
  auto bytes = from_base64(words[2]);
  if (!bytes || bytes->size() != k_signature_bytes)
    return make_error(Errc::invalid, "that is no Ed25519 signature");
  return ManifestSignature{std::string(words[1]), std::move(*bytes)};
}

}  // namespace

const NamedArtifact* ArtifactManifest::find(std::string_view component, std::string_view version) const {
  const auto found = std::find_if(artifacts.begin(), artifacts.end(), [&](const NamedArtifact& artifact) {
    return artifact.component == component && artifact.version == version;
  });
  return found == artifacts.end() ? nullptr : &*found;
}

std::string manifest_text(ArtifactManifest manifest) {
  std::sort(manifest.artifacts.begin(), manifest.artifacts.end(),
            [](const NamedArtifact& a, const NamedArtifact& b) {
              return std::pair(a.component, a.version) < std::pair(b.component, b.version);
            });
  std::string text = std::string(k_header) + "\nnumber " + std::to_string(manifest.number) + "\nexpires " +
                     to_rfc3339(manifest.expires) + "\n";
  if (!manifest.signers.empty())
    text += "signers " + std::to_string(manifest.threshold) + " " + join(manifest.signers, " ") + "\n";
  for (const NamedArtifact& artifact : manifest.artifacts) {
    text += "artifact " + artifact.component + " " + artifact.version + " " + artifact.format + " " +
            std::to_string(artifact.size) + " " + artifact.sha256 + "\n";
  }
  return text;
}

Result<SignedManifest> parse_signed_manifest(std::string_view text) {
  if (text.size() > k_max_manifest_text)
    return make_error(Errc::invalid, "artifact manifest: longer than 256 KiB");
  const std::string_view body = signed_part(text);
  auto manifest = read_manifest_lines(body);
  if (!manifest) return manifest.error();
  SignedManifest result{std::move(*manifest), std::string(body), {}};
  std::string_view rest = text.substr(body.size());
  if (!rest.empty() && !rest.ends_with('\n'))
    return make_error(Errc::invalid, "artifact manifest: the text is cut");
  if (!rest.empty()) rest.remove_suffix(1);
  if (rest.empty()) return result;
  for (const std::string_view line : split(rest, '\n')) {
    auto signature = read_signature(line);
    if (!signature) return error_of(signature, "artifact manifest, a signature");
    const bool twice = std::any_of(result.signatures.begin(), result.signatures.end(),
                                   [&](const auto& other) { return other.key == signature->key; });
    if (twice || result.signatures.size() == k_max_signers)
      return make_error(Errc::invalid, "artifact manifest: a key signed twice, or too many did");
    result.signatures.push_back(std::move(*signature));
  }
  return result;
}

Result<std::string> add_signature(std::string_view text, const ManifestSignature& signature) {
  auto parsed = parse_signed_manifest(text);
  if (!parsed) return parsed.error();
  std::erase_if(parsed->signatures,
                [&signature](const ManifestSignature& other) { return other.key == signature.key; });
  parsed->signatures.push_back(signature);
  std::string out = parsed->signed_bytes;
  for (const ManifestSignature& each : parsed->signatures)
    out += std::string(k_signature) + each.key + " " + to_base64(each.signature) + "\n";
  return out;
}

Result<std::string> signer_key_bytes(std::string_view base64) {
  auto bytes = from_base64(base64);
  if (!bytes || bytes->size() != k_key_bytes || to_base64(*bytes) != base64) {
    return make_error(
        Errc::invalid,
        "\"" + std::string(base64.substr(0, 64)) +
            "\" is no Ed25519 public key: 32 bytes in base64, as slipwayctl artifact keygen prints it");
  }
  return std::move(*bytes);
}

std::vector<std::string> good_signers(const SignedManifest& manifest, const std::vector<std::string>& signers,
                                      const VerifySignature& verify) {
  std::vector<std::string> good;
  for (const ManifestSignature& signature : manifest.signatures) {
    if (std::find(signers.begin(), signers.end(), signature.key) == signers.end()) continue;
    const auto key = signer_key_bytes(signature.key);
    if (key && verify(*key, manifest.signed_bytes, signature.signature)) good.push_back(signature.key);
  }
  return good;
}

Status check_signers(const std::vector<std::string>& signers, std::uint64_t threshold) {
  if (signers.size() > k_max_signers) return make_error(Errc::invalid, "at most 16 signers");
  for (const std::string& signer : signers) {
    if (const auto key = signer_key_bytes(signer); !key) return key.error();
  }
  if (std::set<std::string>(signers.begin(), signers.end()).size() != signers.size())
    return make_error(Errc::invalid, "a signer is named twice");
  if (threshold == 0 || (!signers.empty() && threshold > signers.size())) {
    return make_error(Errc::invalid, "a threshold of " + std::to_string(threshold) + " cannot be met by " +
                                         std::to_string(signers.size()) +
                                         " signers: 1 or more, at most as many as there are");
  }
  return {};
}

}  // namespace slipway::proto
