#include "agent/domain/artifact_trust.hpp"

#include <utility>

namespace slipway {

namespace {

std::string shown(std::size_t good, std::uint64_t threshold) {
  return std::to_string(good) + " of the signers that this host takes the word of have signed it, " +
         std::to_string(threshold) + " must";
}

// Whose word counts, before the offered manifest is looked at.
void settle_signers(proto::ArtifactTrust& trust, const SignerWish& configured, const SignerWish& cluster,
                    const proto::VerifySignature& verify) {
  const SignerWish& wish = configured.signers.empty() ? cluster : configured;
  const bool kept = configured.signers.empty() && !trust.signers.empty();
  if (kept || (trust.signers == wish.signers && trust.threshold == wish.threshold)) return;
  trust.signers = wish.signers;
  trust.threshold = wish.signers.empty() ? 1 : wish.threshold;
  // What others signed says nothing any more, its number neither.
  const auto known = proto::parse_signed_manifest(trust.manifest);
  if (known && proto::good_signers(*known, trust.signers, verify).size() >= trust.threshold) return;
  trust.manifest.clear();
  trust.number = 0;
}

// Empty: it is taken.
std::string objection(const proto::ArtifactTrust& trust, const proto::SignedManifest& offered,
                      const proto::VerifySignature& verify) {
  const std::size_t good = proto::good_signers(offered, trust.signers, verify).size();
  const std::string number = "manifest " + std::to_string(offered.manifest.number);
  if (good < trust.threshold) return number + " is refused: " + shown(good, trust.threshold);
  if (offered.manifest.number < trust.number)
    return number + " is refused: this host has seen number " + std::to_string(trust.number) +
           " (an old one came back); sign one with a higher number";
  if (offered.manifest.number == trust.number) {
    const auto known = proto::parse_signed_manifest(trust.manifest);
    if (!known || known->signed_bytes != offered.signed_bytes)
      return number +
             " is refused: this host has seen another one with that number; sign one with a higher number";
  }
  if (offered.manifest.signers.empty()) return {};
  const std::size_t of_new = proto::good_signers(offered, offered.manifest.signers, verify).size();
  if (of_new >= offered.manifest.threshold) return {};
  return number + " is refused: it names new signers, but " + std::to_string(of_new) +
         " of them have signed it, " + std::to_string(offered.manifest.threshold) + " must";
}

}  // namespace

TrustUpdate update_trust(const proto::ArtifactTrust& known, const SignerWish& configured,
                         const SignerWish& cluster, const std::string& offered,
                         const proto::VerifySignature& verify) {
  TrustUpdate update{known, false, {}};
  settle_signers(update.trust, configured, cluster, verify);
  update.changed = update.trust != known;
  if (update.trust.signers.empty() || offered == update.trust.manifest) return update;
  if (offered.empty()) {
    update.complaint = "the coordinator has no artifact manifest";
    return update;
  }
  const auto manifest = proto::parse_signed_manifest(offered);
  if (!manifest) {
    update.complaint = manifest.error().message;
    return update;
  }
  update.complaint = objection(update.trust, *manifest, verify);
  if (!update.complaint.empty()) return update;
  update.trust.manifest = offered;
  update.trust.number = manifest->manifest.number;
  if (configured.signers.empty() && !manifest->manifest.signers.empty()) {
    update.trust.signers = manifest->manifest.signers;
    update.trust.threshold = manifest->manifest.threshold;
  }
  update.changed = update.trust != known;
  return update;
}

Status check_named(const proto::ArtifactTrust& trust, const proto::NamedArtifact& artifact, bool in_use,
                   WallTime now) {
  if (trust.signers.empty()) return {};
  const std::string name = artifact.component + " " + artifact.version;
  if (trust.manifest.empty()) {
    return make_error(Errc::denied, name +
                                        " is not installed: there is no signed manifest that names it "
                                        "(slipwayctl artifact manifest create, sign, put)");
  }
  const auto signed_manifest = proto::parse_signed_manifest(trust.manifest);
  if (!signed_manifest)
    return make_error(Errc::corrupt, "the remembered manifest: " + signed_manifest.error().message);
  const proto::ArtifactManifest& manifest = signed_manifest->manifest;
  const std::string number = "manifest " + std::to_string(manifest.number);
  const proto::NamedArtifact* named = manifest.find(artifact.component, artifact.version);
  if (named == nullptr) {
    return make_error(
        Errc::denied,
        name + " is not installed: the signed " + number +
            " does not name it; sign one that does (slipwayctl artifact manifest create, sign, put)");
  }
  if (*named != artifact) {
    return make_error(Errc::corrupt, name + " is not installed: the signed " + number + " names SHA-256 " +
                                         named->sha256 + " (" + std::to_string(named->size) + " bytes, " +
                                         named->format + "), the coordinator offers " + artifact.sha256 +
                                         " (" + std::to_string(artifact.size) + " bytes, " + artifact.format +
                                         "); find out who changed the coordinator's artifacts");
  }
  if (manifest.expires <= now && !in_use) {
    return make_error(
        Errc::denied,
        name + " is not installed: the signed " + number + " ended at " + to_rfc3339(manifest.expires) +
            "; sign a new one with a later end (slipwayctl artifact manifest create, sign, put)");
  }
  return {};
}

}  // namespace slipway
