#include "coordinator/open_signer.hpp"

#include "coordinator/ca/ca_passphrase.hpp"
#include "coordinator/clock_floor.hpp"
#include "coordinator/config.hpp"

namespace slipway {

SigningRules rules_of(const State& state) {
  return {profile_cluster(state.cluster(), state.identity().id), lifetimes_of(state.cluster())};
}

Result<SignerParts> open_signer(const proto::CoordinatorConfig& config,
                                std::shared_ptr<signer::SignerLink> link, const State& state,
                                std::function<void(const Error&)> lost) {
  const std::string& dir = config.data_dir;
  SignerParts parts;
  signer::SignerLink ends;
  if (link != nullptr) {
    ends = std::move(*link);
  } else {
    auto threads = signer::SignerThreads::start(signing_channels(config));
    if (!threads) return threads.error();
    parts.threads = std::move(*threads);
    ends = parts.threads->take_link();
  }
  const signer::Open open{ca_dir(dir), import_dir(dir), config.ca_passphrase_file, credentials_dir(),
                          state.cas(), rules_of(state), clock_floor(state)};
  auto client = signer::SignerClient::open(std::move(ends), open, std::move(lost));
  if (!client) return client.error();
  parts.client = std::move(*client);
  return parts;
}

}  // namespace slipway
