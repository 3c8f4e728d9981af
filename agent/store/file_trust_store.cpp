#include "agent/store/file_trust_store.hpp"

#include "common/files/atomic_file.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_bytes = 1024 * 1024;

}  // namespace

FileTrustStore::FileTrustStore(const std::string& data_dir) : path_(data_dir + "/artifact-trust.json") {}

Result<std::optional<proto::ArtifactTrust>> FileTrustStore::trust() {
  const auto text = read_file(path_, k_max_bytes);
  if (!text && text.error().code == Errc::not_found) return std::optional<proto::ArtifactTrust>();
  if (!text) return error_of(text, "read whose programs this host takes");
  auto trust = proto::decode<proto::ArtifactTrust>(*text);
  if (!trust) {
    return make_error(Errc::corrupt,
                      path_ + " is damaged (" + trust.error().message +
                          "): put it back from a backup, or remove it to pin the signers anew");
  }
  return std::optional<proto::ArtifactTrust>(std::move(*trust));
}

Status FileTrustStore::save_trust(const proto::ArtifactTrust& trust) {
  const Status written = write_file_atomically(path_, proto::encode(trust), 0600);
  return written ? Status() : error_of(written, "remember whose programs this host takes");
}

}  // namespace slipway
