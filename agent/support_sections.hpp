#pragma once
// What goes into the archive for support: an allow-list. Everything else of the host stays where it is.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/network.hpp"
#include "agent/service/agent_state.hpp"
#include "agent/service/support.hpp"
#include "proto/file_types.hpp"
#include "proto/preflight.hpp"

namespace slipway {

struct SupportSources {
  proto::AgentConfig config;
  std::optional<proto::AgentLocalStatus> status;
  std::optional<proto::HealthReport> health;  // absent: the agent does not run
  std::optional<proto::DesiredState> desired;
  std::string reconcile;  // the last pass in words
  std::string network;    // as observed, in words
  std::string units;
  std::vector<std::string> unit_names;
  std::function<Result<proto::PreflightReport>()> preflight;
  std::function<Result<std::string>(const std::string& unit)> journal;
};

std::vector<SupportSection> support_sections(SupportSources sources);

std::string in_words(const PassReport& pass);
std::string in_words(const NetworkObserved& network);
std::string in_words(const UnitStatus& unit);

// Every secret that this host keeps, in each form that it may show up in: private keys below `dirs`, the join
// token. Blocks.
std::vector<Secret> secrets_of_host(const std::vector<std::string>& dirs, const std::string& token_file);

}  // namespace slipway
