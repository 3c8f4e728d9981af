#pragma once
// The coordinator's end of its signer.
#include <functional>
#include <memory>

#include "common/core/result.hpp"
#include "coordinator/domain/state.hpp"
#include "coordinator/signer/client.hpp"
#include "coordinator/signer/threads.hpp"
#include "proto/file_types.hpp"

namespace slipway {

// Threads only where no process was given. They end when the client is gone, so they are the first member.
struct SignerParts {
  std::unique_ptr<signer::SignerThreads> threads;
  std::unique_ptr<signer::SignerClient> client;
};

SigningRules rules_of(const State& state);

// Tells the signer what it needs to know: its first message, in which nobody from outside has had a word yet.
// `link` null: the signer is on threads of this process. `lost`: as of SignerClient.
Result<SignerParts> open_signer(const proto::CoordinatorConfig& config,
                                std::shared_ptr<signer::SignerLink> link, const State& state,
                                std::function<void(const Error&)> lost);

}  // namespace slipway
