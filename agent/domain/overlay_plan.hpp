#pragma once
// The tunnel device: what it should be, and the steps to it. Part of the network plan, for network_plan.cpp and tests. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

struct WantedOverlay {
  VxlanConfig config;
  MacAddress mac{};
  int mtu = 0;
  std::vector<IpAddress> ends;  // its own addresses, at most one of each family
  std::string underlay;
};
// Empty: the backend has no tunnel, or the underlay or the own blocks are not known now.
std::optional<WantedOverlay> wanted_overlay(const NetworkDesired& desired, const NetworkObserved& observed);

// The device of our name, whatever it is; or null.
const NetworkLink* overlay_of(const NetworkObserved& observed);

// Another device with which ours cannot be: it receives the same packets. Null: none.
const NetworkLink* overlay_rival(const NetworkObserved& observed, const VxlanConfig& wanted);

// Whether it has all that cannot be changed in place.
bool fits(const NetworkLink& device, const WantedOverlay& want);

struct OverlayUse {
  int link = 0;            // for what hangs on it: its index, k_overlay_to_come; 0: leave alone what is there
  bool renewed = false;    // nothing that was on it is left
  bool remac = false;      // no neighbour that was on it is left
};
// Appends the steps of the device itself. A device that nobody wants is removed by plan_overlay_end, after the routes have
// been led elsewhere.
OverlayUse plan_overlay(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps);
void plan_overlay_end(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps);

// Packets that are translated twice leave with a wrong checksum where the kernel leaves it to the tunnel device to
// complete one of zero: connections from hosts to services stall for seconds (kubernetes #88986, projectcalico #3145;
// mended by Linux 5.7, "netfilter: nat: never update the UDP checksum when it's 0").
bool needs_offload_defence(std::string_view kernel_release);

// Whether `kernel_release` (uname -r) is one before major.minor. False when it cannot be read.
bool is_before(std::string_view kernel_release, std::uint64_t major, std::uint64_t minor);

// What the tunnel's headers take of the underlay's MTU, bytes.
int overlay_overhead(const IpAddress& node_address);

// Sysctls of the tunnel device itself, which come and go with it: those it needs with IPv6 pods, or all there are.
std::vector<Sysctl> overlay_sysctls(bool with_v6 = true);

}  // namespace slipway
