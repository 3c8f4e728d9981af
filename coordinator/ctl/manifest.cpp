// `artifact keygen` and `artifact manifest`: keys and signatures are made here, the coordinator only keeps the result.
#include "proto/artifact_manifest.hpp"

#include "common/core/text.hpp"
#include "common/crypto/ed25519.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

constexpr std::string_view k_key_header = "slipway-signer 1\n";
constexpr std::size_t k_max_key_file = 256;

Status keygen(const ArtifactKeygen& wish, Console& console) {
  // A key that is overwritten is a cluster that nobody can update any more.
  if (path_exists(wish.file)) return make_error(Errc::conflict, wish.file + " is there already: choose another name");
  const auto pair = make_ed25519_pair();
  if (!pair) return pair.error();
  const Secret text(std::string(k_key_header) + to_base64(pair->seed.reveal()) + "\n");
  if (const Status written = write_file_atomically(wish.file, text.reveal(), 0600); !written) return written;
  console.err << "private key written to " << wish.file << "; the public key, for artifacts.signers in cluster.yaml:\n";
  console.out << to_base64(pair->public_key) << "\n";
  return {};
}

Result<Ed25519Pair> read_key(const std::string& file) {
  const auto text = read_secret_file(file, k_max_key_file);
  if (!text) return error_of(text, "reading the key");
  std::string_view rest = text->reveal();
  const Error bad = make_error(Errc::invalid, file + " is no signer's key: slipwayctl artifact keygen makes one");
  if (!rest.starts_with(k_key_header)) return bad;
  auto seed = from_base64(trim(rest.substr(k_key_header.size())));
  if (!seed) return bad;
  auto pair = ed25519_from_seed(Secret(std::move(*seed)));
  return pair ? std::move(pair) : Result<Ed25519Pair>(bad);
}

Status sign(const ManifestSign& wish, Console& console) {
  const auto text = read_file(wish.file, proto::k_max_manifest_text);
  if (!text) return text.error();
  const auto manifest = proto::parse_signed_manifest(*text);
  if (!manifest) return manifest.error();
  const auto pair = read_key(wish.key_file);
  if (!pair) return pair.error();
  const auto signature = ed25519_sign(pair->seed, manifest->signed_bytes);
  if (!signature) return signature.error();
  const std::string key = to_base64(pair->public_key);
  const auto whole = proto::add_signature(*text, {key, *signature});
  if (!whole) return whole.error();
  if (const Status written = write_file_atomically(wish.file, *whole, 0644); !written) return written;
  console.out << "manifest " << manifest->manifest.number << " signed by " << key << "\n";
  return {};
}

Status verify(const ManifestVerify& wish, Console& console) {
  if (const Status fit = proto::check_signers(wish.signers, wish.threshold); !fit) return fit;
  const auto text = read_file(wish.file, proto::k_max_manifest_text);
  if (!text) return text.error();
  const auto manifest = proto::parse_signed_manifest(*text);
  if (!manifest) return manifest.error();
  const auto good = proto::good_signers(*manifest, wish.signers, ed25519_verify);
  const std::string number = "manifest " + std::to_string(manifest->manifest.number);
  if (good.size() < wish.threshold)
    return make_error(Errc::corrupt, number + " has " + std::to_string(good.size()) + " good signatures by these signers, " + std::to_string(wish.threshold) + " are needed");
  if (manifest->manifest.expires <= console.now) return make_error(Errc::invalid, number + " ended at " + to_rfc3339(manifest->manifest.expires));
  console.out << number << " is good until " << to_rfc3339(manifest->manifest.expires) << ", signed by " << join(good, ", ") << "\n";
  return {};
}

// 0 when there is none.
Result<std::uint64_t> present_number(Connection& connection) {
  const auto view = ask<proto::ManifestView>(connection, make_request(http::Method::get, "/v1/artifact-manifest"));
  if (view) return view->number;
  if (view.error().code == Errc::not_found) return std::uint64_t{0};
  return view.error();
}

Status create(const ManifestCreate& wish, Connection& connection, Console& console) {
  const auto life = parse_duration(wish.valid_for);
  if (!life || *life <= Seconds(0)) return make_error(Errc::invalid, "--valid-for must be a duration such as 90d");
  if (const Status fit = proto::check_signers(wish.signers, wish.threshold); !fit) return error_of(fit, "--new-signer");
  proto::ArtifactManifest manifest;
  manifest.expires = console.now + *life;
  manifest.signers = wish.signers;
  manifest.threshold = wish.threshold;
  const auto present = present_number(connection);
  if (!present) return present.error();
  manifest.number = wish.number != 0 ? wish.number : *present + 1;
  const auto artifacts = ask_all<proto::ArtifactList>(connection, "/v1/artifacts");
  if (!artifacts) return artifacts.error();
  for (const proto::Artifact& artifact : artifacts->items)
    manifest.artifacts.push_back({artifact.component, artifact.version, artifact.format, artifact.size, artifact.sha256});
  const std::string text = proto::manifest_text(manifest);
  if (const auto fit = proto::parse_signed_manifest(text); !fit) return error_of(fit, "the coordinator's artifacts");
  if (const Status written = write_file_atomically(wish.file, text, 0644); !written) return written;
  console.out << "manifest " << manifest.number << " with " << manifest.artifacts.size() << " artifacts written to " << wish.file
              << ": hold its digests against your own, then sign it where the key is: slipwayctl artifact manifest sign " << wish.file << " --key FILE\n";
  return {};
}

Status put(const ManifestPut& wish, Connection& connection, Console& console) {
  const auto text = read_file(wish.file, proto::k_max_manifest_text);
  if (!text) return text.error();
  const proto::ManifestUpload upload{*text};
  const auto view = ask<proto::ManifestView>(connection, make_request(http::Method::put, "/v1/artifact-manifest", proto::encode(upload)));
  if (!view) return view.error();
  console.out << "manifest " << view->number << " with " << view->artifacts << " artifacts holds until " << view->expires_at << "\n";
  return {};
}

int code_of(const Status& status, Console& console) { return status ? static_cast<int>(k_ok) : fail(console, status.error()); }

}  // namespace

std::optional<int> run_signing_command(const CommandLine& line, Console& console) {
  if (const auto* wish = std::get_if<ArtifactKeygen>(&line.command)) return code_of(keygen(*wish, console), console);
  if (const auto* wish = std::get_if<ManifestSign>(&line.command)) return code_of(sign(*wish, console), console);
  if (const auto* wish = std::get_if<ManifestVerify>(&line.command)) return code_of(verify(*wish, console), console);
  return std::nullopt;
}

int create_manifest(const ManifestCreate& wish, Connection& connection, Console& console) { return code_of(create(wish, connection, console), console); }
int put_manifest(const ManifestPut& wish, Connection& connection, Console& console) { return code_of(put(wish, connection, console), console); }

std::string collect_text(const proto::CollectReply& reply) {
  std::string text;
  for (const proto::CollectedBlob& blob : reply.removed) text += blob.sha256 + "  " + human_size(blob.size) + "\n";
  return text + (reply.dry_run ? "would remove " : "removed ") + std::to_string(reply.removed.size()) + ", " + human_size(reply.bytes) + "\n";
}

}  // namespace slipway::ctl
