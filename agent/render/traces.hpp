#pragma once
// All that a node's components leave on a host, their own programs' work included: what the change ledger has
// to know before it comes to be. Pure.
#include <string>
#include <vector>

#include "agent/domain/change_ledger.hpp"
#include "agent/domain/network_plan.hpp"
#include "agent/ports/node_store.hpp"
#include "agent/render/component.hpp"

namespace slipway {

// What the agent sets in the kernel, and the files below `etc` that say so at the next boot.
std::vector<Intent> network_intents(const std::string& etc = "/etc");

// What `steps` set beyond that: sysctls of the host's own interfaces.
std::vector<Intent> device_intents(const std::vector<NetworkStep>& steps);

// Folders, files, links and units of the components, and what their programs make by themselves.
// `credentials` knows where the links lead.
std::vector<Intent> component_intents(const std::vector<ComponentFiles>& components, const HostPaths& paths,
                                      const CredentialStore& credentials);

// What `slipway-agent join` writes.
std::vector<Intent> join_intents(const std::string& config_file, const std::string& token_file);

// The link that enables a unit.
std::string enabling_link(const std::string& unit_dir, const std::string& unit);

}  // namespace slipway
