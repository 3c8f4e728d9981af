#pragma once
// Whose word a host takes for the programs it installs. Pure: signatures are checked by the function that is
// passed. A coordinator can be broken into: it is believed neither about who signs nor about which list is
// the newest. Both are remembered.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/artifact_manifest.hpp"
#include "proto/file_types.hpp"

namespace slipway {

struct SignerWish {
  std::vector<std::string> signers;
  std::uint64_t threshold = 1;
};

struct TrustUpdate {
  proto::ArtifactTrust trust;  // as it is to be remembered; no signers: nobody's word is needed
  bool changed = false;        // to be made durable before it is acted on
  std::string complaint;       // why the offered manifest was not taken; empty: it was, or none was needed
};

// `configured`: agent.yaml's, which hold whatever else is said. Without any, those that were remembered; at
// first sight the cluster's. A manifest that names new signers, signed by enough of the old and of the new
// ones, changes the remembered ones.
TrustUpdate update_trust(const proto::ArtifactTrust& known, const SignerWish& configured,
                         const SignerWish& cluster, const std::string& offered,
                         const proto::VerifySignature& verify);

// Whether this artifact may be installed. `in_use`: these very bytes are the component's current version,
// which a manifest whose time is over does not take away. Errc::denied and Errc::corrupt carry the cure.
Status check_named(const proto::ArtifactTrust& trust, const proto::NamedArtifact& artifact, bool in_use,
                   WallTime now);

}  // namespace slipway
