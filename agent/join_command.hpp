#pragma once
// `slipway-agent join`: writes what the agent needs to join at every boot from now on, and starts it.
#include <string>
#include <vector>

#include "agent/preflight_command.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct JoinOptions {
  std::vector<std::string> servers;  // https://IP:7443
  std::string token_file;            // "-": standard input
  Secret token = {};                 // that came by it; see look_of_join()
  std::string role = "node";
  std::string node_name;
  std::string node_ip;
  std::string config_file;  // agent.yaml
  std::string token_copy = "/etc/slipway/join.token";
  std::string data_dir = "/var/lib/slipway/agent";  // where the change ledger is; the configuration's default
  bool start = true;
};

// What preflight is to look at before this join. A token that comes by standard input is read from `input` into options.token: it cannot
// be read a second time. Errc::invalid: it is no join token. Blocks until the input ends.
Result<PreflightOptions> look_of_join(JoinOptions& options, int input);

// Everything is checked before anything is written. Errc::conflict: this host has joined already. Blocks.
Status write_join_config(const JoinOptions& options);
// Enables and (re)starts slipway-agent.service over D-Bus. For hosts that systemd runs.
Status start_agent_unit();
// For people, of a host that systemd does not run: what is to be started there, by whatever starts things.
std::string what_to_start(const std::string& config_file);

}  // namespace slipway
