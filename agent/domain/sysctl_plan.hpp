#pragma once
// The part of the network plan that is kernel settings, and the files that set them at the next boot. Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// Every one that plan_network may want to set, with the value where it is the same for all nodes.
std::vector<Sysctl> network_sysctls();
// The keys to observe.
std::vector<std::string> network_sysctl_keys();

struct WantedSysctl {
  Sysctl sysctl;
  bool optional = false;  // only where the key exists and may be written
  bool minimum = false;   // a larger number will do
  std::string module;     // brings the key
};
std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired);
std::string sysctl_file_content(const NetworkDesired& desired);
std::string modules_file_content();

void plan_sysctls(const NetworkDesired& desired, const NetworkObserved& observed,
                  std::vector<NetworkStep>& steps);
// Of devices of ours: to be planned after these.
struct OverlayUse;
void plan_device_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
                         std::vector<NetworkStep>& steps);

}  // namespace slipway
