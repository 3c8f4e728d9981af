#pragma once
// `slipway-agent status|health|preflight|support`: they ask the running agent, and do what can be done
// without one. Each returns an exit code.
#include <string>
#include <vector>

#include "agent/config.hpp"
#include "agent/local_client.hpp"

namespace slipway {

struct LocalOptions {
  std::string output = "table";  // table, wide, json, yaml
  std::string config_file = k_agent_config_file;
  std::string socket = k_local_socket;
  std::vector<std::string> ignore;  // names of preflight's checks
  std::string archive;              // file to make; "-": standard output; empty: a name with host and time
};

int status_command(const LocalOptions& options);
int health_command(const LocalOptions& options);
int preflight_command(const LocalOptions& options);
int support_command(const LocalOptions& options);

}  // namespace slipway
