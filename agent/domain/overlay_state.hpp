#pragma once
// The tunnel device between nodes, what hangs on it, and the steps that change it. Pure. The device is ours by its name, and
// so is every forwarding entry and permanent neighbour on it.
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "common/core/ip.hpp"

namespace slipway {

inline constexpr char k_overlay_device[] = "slipway-vx";
// In place of an interface index: the tunnel device that an earlier step of the same plan makes.
inline constexpr int k_overlay_to_come = -1;

using MacAddress = std::array<std::uint8_t, 6>;
std::string to_string(const MacAddress& mac);  // "02:1f:0a:0a:02:00"

// What makes a vxlan device the one it is. To change any of it the device is made anew.
struct VxlanConfig {
  std::uint32_t id = 0;            // VXLAN network identifier, 24 bits
  std::uint16_t port = 0;          // UDP
  int underlay = 0;                // interface index; 0: any
  std::optional<IpAddress> local;  // the outer source address
  bool learning = false;           // entries from packets: anybody's
  bool extended = false;           // external (one device for all identifiers), group policy, GPE, or a default remote
  bool operator==(const VxlanConfig&) const = default;
};

// Which outer packets for the inner address `address` go to: permanent entries only.
struct Neighbour {
  IpAddress address;
  MacAddress mac{};
  bool operator==(const Neighbour&) const = default;
};
// Which node has the tunnel end with this MAC.
struct ForwardingEntry {
  MacAddress mac{};
  std::optional<IpAddress> remote;  // empty: something that we never make
  bool operator==(const ForwardingEntry&) const = default;
};

struct PutOverlay {  // makes the device and sets it up
  VxlanConfig config;
  MacAddress mac{};
  int mtu = 0;
  int replaces = 0;    // index of the device of that name to remove first; 0: none
  std::string beside;  // the underlay's name, for reports
};
struct MendOverlay {  // what can be changed in place
  int index = 0;
  std::optional<MacAddress> mac;  // the kernel drops all neighbours with the former one
  std::optional<int> mtu;
  bool up = false;  // set it up
};
struct RemoveOverlay {  // with all that hangs on it
  int index = 0;
};
struct PutOverlayAddress {  // of the tunnel's end: a host address without a route
  int link = 0;
  IpAddress address;
};
struct RemoveOverlayAddress {
  int link = 0;
  IpAddress address;
  int prefix_length = 0;
};
struct SetChecksumOffload {  // tx-checksum-ip-generic of the tunnel device
  bool on = false;
};
struct PutNeighbour {
  int link = 0;
  Neighbour neighbour;
  std::string node;  // for reports
};
struct RemoveNeighbour {
  int link = 0;
  Neighbour neighbour;
};
struct PutForwarding {
  int link = 0;
  ForwardingEntry entry;
  std::string node;
};
struct RemoveForwarding {
  int link = 0;
  ForwardingEntry entry;
};

}  // namespace slipway
