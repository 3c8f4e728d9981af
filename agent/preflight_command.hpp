#pragma once
// `slipway-agent preflight`: everything that stands in the way of a node, at once, before anything is changed.
#include <string>
#include <vector>

#include "agent/domain/preflight.hpp"
#include "common/core/result.hpp"
#include "proto/file_types.hpp"
#include "proto/preflight.hpp"

namespace slipway {

class Clock;

struct PreflightOptions {
  std::vector<std::string> servers;  // https://IP:7443; empty: not asked
  std::string ca_sha256;             // pins the coordinator before the first join; empty: what the token in token_file says
  std::string token_file;            // empty or unreadable, and no pin: only that it listens is asked
  std::string data_dir = "/var/lib/slipway/agent";
  std::string role = "node";
  std::string node_name;  // empty: the host's
  std::string node_ip;    // empty: the one on the way to the coordinator
  std::string cgroup_driver;  // empty: what the host can do
  std::vector<std::string> ignore;  // names of checks, or "all"
};
PreflightOptions preflight_options(const proto::AgentConfig& config);

// Looks at the host, asks the coordinator and, where one is known, the API server. Changes nothing. Blocks for some seconds at most.
// `clock`: what the coordinator's is held against. Errc::invalid: `ignore` names a check that there is not.
Result<std::vector<Finding>> run_preflight(const PreflightOptions& options, const Clock& clock);
// With the host's clock.
Result<std::vector<Finding>> run_preflight(const PreflightOptions& options);

proto::PreflightReport preflight_report(const std::vector<Finding>& findings);
// For people: errors and warnings with their cures first, then one line with what is well; `wide`: a line each, with what was seen.
std::string preflight_text(const proto::PreflightReport& report, bool wide = false);

}  // namespace slipway
