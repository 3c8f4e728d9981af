#pragma once
// Adapter: <data dir>/artifact-trust.json.
#include <string>

#include "agent/ports/trust_store.hpp"

namespace slipway {

class FileTrustStore final : public TrustStore {
 public:
  explicit FileTrustStore(const std::string& data_dir);
  Result<std::optional<proto::ArtifactTrust>> trust() override;
  Status save_trust(const proto::ArtifactTrust& trust) override;

 private:
  std::string path_;
};

}  // namespace slipway
