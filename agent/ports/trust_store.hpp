#pragma once
// Port: whose word the host takes for programs, and the newest list that it has seen. Calls block for a few
// fsyncs.
#include <optional>

#include "common/core/result.hpp"
#include "proto/file_types.hpp"

namespace slipway {

class TrustStore {
 public:
  virtual ~TrustStore() = default;
  // nullopt: nothing was remembered yet. An error is no reason to begin anew: what was pinned would be
  // forgotten.
  virtual Result<std::optional<proto::ArtifactTrust>> trust() = 0;
  // Durable when it returns.
  virtual Status save_trust(const proto::ArtifactTrust& trust) = 0;
};

}  // namespace slipway
