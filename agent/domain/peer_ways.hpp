#pragma once
// How each peer's pods are reached: directly, through the tunnel, or not at all. Part of the network plan. Pure.
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// A block of each family, as far as there is one.
struct Blocks {
  std::optional<Cidr> v4;
  std::optional<Cidr> v6;
  bool overlaps(const Cidr& other) const;
};
Blocks blocks_of(const NetworkPeer& peer);
Blocks own_blocks(const NetworkDesired& desired);

// The MAC of the tunnel end of the node with these blocks (one at least). From the blocks alone, because they are unique and
// every peer knows them: nothing has to be told, and a device made anew has the same one.
MacAddress tunnel_mac(std::uint8_t salt, const Blocks& blocks);
// The address of the tunnel end within a block: its first, which no pod can have.
IpAddress tunnel_end(const Cidr& block);
// The next hop into the tunnel towards a block of the node with that MAC. In IPv6 a link-local address: the kernel refuses a
// next hop within a block that another route leads elsewhere at the moment, which would make a replacement impossible.
IpAddress tunnel_hop(const Cidr& block, const MacAddress& mac);

// Pointers are into NetworkDesired.
struct DirectWay {
  const NetworkPeer* peer = nullptr;
  Cidr destination;
  IpAddress gateway;
  bool by_other_family = false;  // the peer's own address is not of the block's family: the node may have
                                 // none either to send with
};
struct TunnelWay {
  const NetworkPeer* peer = nullptr;
  MacAddress mac{};
  IpAddress remote;
  std::vector<Cidr> destinations;  // at most one of each family
};
struct NoWay {
  const NetworkPeer* peer = nullptr;
  Cidr destination;
  std::string why;
};
struct PeerWays {
  std::vector<DirectWay> direct;
  std::vector<TunnelWay> tunnel;
  std::vector<Cidr> undecided;  // the underlay cannot be asked now: what is there stays
  std::vector<NoWay> none;
  std::vector<NetworkFinding> conflicts;
};
PeerWays peer_ways(const NetworkDesired& desired, const NetworkObserved& observed);

// Steps that bring about the routes of all peers and of the node itself, and what the tunnel needs for them.
struct OverlayUse;
void plan_peers(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
                std::vector<NetworkStep>& steps);

}  // namespace slipway
