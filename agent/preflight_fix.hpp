#pragma once
// `slipway-agent preflight --fix`: what of its findings can be mended without a decision of the operator's:
// kernel modules and sysctls that the agent would set too. They hold over a reboot, stand in the change
// ledger, and a reset takes them back.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Those of the steps that are fixes. Pure.
std::vector<NetworkStep> preflight_fixes(const std::vector<NetworkStep>& steps);

// Where the kernel's settings and the host's files are; tests put them below a folder of their own.
struct FixPaths {
  std::string proc_sys = "/proc/sys";
  std::string etc = "/etc";
  std::string sys = "/sys";
};

// Notes them in the change ledger of `data_dir`, carries them out and says what was done; empty: nothing was to do.
// Errc::conflict: this host is a node already, and the agent sees to it. Blocks.
Result<std::vector<std::string>> fix_preflight(const std::string& data_dir, const FixPaths& paths = {});

}  // namespace slipway
