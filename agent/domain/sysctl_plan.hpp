#pragma once
// The part of the network plan that is kernel settings, and the files that set them at the next boot. Pure.
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// Every one that plan_network may want to set, with the value where it is the same for all nodes.
std::vector<Sysctl> network_sysctls();
// The keys to observe.
std::vector<std::string> network_sysctl_keys();

// Of those that this node has set, the keys whose change nobody tells of: forwarding is announced (RTM_NEWNETCONF).
std::vector<std::string> silent_sysctls(const NetworkDesired& desired, const NetworkObserved& observed);

struct WantedSysctl {
  Sysctl sysctl;
  bool optional = false;  // only where the key exists and may be written
  bool minimum = false;   // a larger number will do
  std::string module;     // brings the key
};
std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired);
bool forwards_v6(const NetworkObserved& observed);

// A host that forwards IPv6 no longer listens to routers (ip-sysctl.rst, accept_ra), and so would lose its
// own address and way out where it has them from there: net/ipv6/conf/<underlay>/accept_ra = 2, from before
// forwarding is turned on. That it was needed once is seen by our file: afterwards nobody can tell any more.
// Empty: not needed.
std::optional<Sysctl> wanted_accept_ra(const NetworkDesired& desired, const NetworkObserved& observed);

// With the lines about accept_ra that `observed` has in it or that are wanted now.
std::string sysctl_file_content(const NetworkDesired& desired, const NetworkObserved& observed);
std::string modules_file_content();

void plan_sysctls(const NetworkDesired& desired, const NetworkObserved& observed,
                  std::vector<NetworkStep>& steps);
// Of devices of ours: to be planned after these.
struct OverlayUse;
void plan_device_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
                         std::vector<NetworkStep>& steps);

}  // namespace slipway
