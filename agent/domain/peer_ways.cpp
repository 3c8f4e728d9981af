#include "agent/domain/peer_ways.hpp"

#include <algorithm>
#include <set>

#include "agent/domain/link_hop.hpp"
#include "agent/domain/overlay_plan.hpp"

namespace slipway {

namespace {

constexpr std::uint64_t k_hash_start = 14695981039346656037ULL;  // FNV-1a
std::uint64_t hashed(std::uint64_t hash, std::uint8_t byte) {
  return (hash ^ byte) * 1099511628211ULL;
}

void add_block(Blocks& blocks, const std::optional<Cidr>& block) {
  if (block) (block->is_v4() ? blocks.v4 : blocks.v6) = *block;
}

// The networks that `link` is on. Addresses of the link alone say nothing of who else is there.
std::vector<Cidr> networks_of(const NetworkLink& link) {
  std::vector<Cidr> out;
  for (const LinkAddress& own : link.addresses) {
    if (own.address.is_link_local()) continue;
    std::string bytes = own.address.bytes();
    for (int bit = own.prefix_length; bit < own.address.bits(); ++bit)
      bytes[static_cast<std::size_t>(bit / 8)] &= static_cast<char>(~(0x80 >> bit % 8));
    const auto base = IpAddress::from_bytes(bytes);
    const auto network = base ? Cidr::make(*base, own.prefix_length) : Result<Cidr>(make_error(Errc::invalid, ""));
    if (network) out.push_back(*network);
  }
  return out;
}

class Finder {
 public:
  Finder(const NetworkDesired& desired, const NetworkObserved& observed)
      : desired_(desired),
        observed_(observed),
        own_(own_blocks(desired)),
        underlay_(underlay_of(observed, desired.node_address)) {
    if (underlay_ != nullptr) networks_ = networks_of(*underlay_);
  }

  PeerWays find() {
    for (const NetworkPeer& peer : desired_.peers) add(peer);
    return std::move(ways_);
  }

 private:
  void add(const NetworkPeer& peer) {
    const bool own_address = peer.gateway == desired_.node_address;
    if (own_address && (!desired_.own_cidr || peer.cidr == *desired_.own_cidr)) return;  // the node itself
    const bool claims = own_.overlaps(peer.cidr) || (peer.second_cidr && own_.overlaps(*peer.second_cidr));
    if (own_address || claims) {
      conflict(peer, "peer " + peer.node + " (" + peer.cidr.to_string() + " via " + peer.gateway.to_string() +
                         ") claims this node's pod range or address; no route is set for it");
      return;
    }
    std::vector<Cidr> through_tunnel;
    add_block(peer, peer.cidr, through_tunnel);
    if (peer.second_cidr) add_block(peer, *peer.second_cidr, through_tunnel);
    if (!through_tunnel.empty()) add_tunnel(peer, std::move(through_tunnel));
  }

  void add_block(const NetworkPeer& peer, const Cidr& block, std::vector<Cidr>& through_tunnel) {
    if (!taken_.insert(block).second) {
      conflict(peer, "pod range " + block.to_string() + " of peer " + peer.node +
                         " belongs to another peer too; the first one listed keeps the route");
      return;
    }
    if (desired_.backend == NetworkBackend::routes || desired_.backend == NetworkBackend::external) return;
    if (desired_.backend == NetworkBackend::vxlan && !desired_.cross_subnet) return through_tunnel.push_back(block);
    if (underlay_ == nullptr) {
      ways_.undecided.push_back(block);
    } else if (is_neighbour(peer) && has_hop(peer, block)) {
      ways_.direct.push_back(direct_way(peer, block));
    } else if (uses_overlay(desired_)) {
      through_tunnel.push_back(block);
    } else {
      no_direct_way(peer, block);
    }
  }

  // Neighbours have each other's blocks of both families, whichever family their own addresses are of.
  static DirectWay direct_way(const NetworkPeer& peer, const Cidr& block) {
    const IpAddress& gateway = peer.gateway;
    if (block.is_v4() == gateway.is_v4()) return {&peer, block, gateway, false};
    return {&peer, block, gateway.is_v4() ? link_hop(gateway) : gateway, true};
  }
  bool has_hop(const NetworkPeer& peer, const Cidr& block) const {
    if (block.is_v4() == peer.gateway.is_v4()) return true;
    return block.is_v4() ? !is_before(observed_.kernel_release, 5, 2) : !without_v6(*underlay_);
  }

  void no_direct_way(const NetworkPeer& peer, const Cidr& block) {
    const bool v4 = peer.gateway.is_v4();
    if (is_neighbour(peer)) {
      // What is disabled is a finding of its own (link_hop.hpp).
      if (v4) return ways_.undecided.push_back(block);
      ways_.none.push_back({&peer, block, "IPv4 by its IPv6 address needs Linux 5.2"});
      return;
    }
    // An underlay that lost its addresses of this family may have them again in a moment.
    const bool asked = std::any_of(networks_.begin(), networks_.end(),
                                   [v4](const Cidr& network) { return network.is_v4() == v4; });
    if (!asked) ways_.undecided.push_back(block);
    ways_.none.push_back({&peer, block, peer.gateway.to_string()});
  }

  void add_tunnel(const NetworkPeer& peer, std::vector<Cidr> destinations) {
    if (peer.gateway.is_v4() != desired_.node_address.is_v4()) {
      for (const Cidr& block : destinations) ways_.none.push_back({&peer, block, "no address of this node's family"});
      return;
    }
    const MacAddress mac = tunnel_mac(desired_.mac_salt, blocks_of(peer));
    if (!macs_.insert(mac).second) {
      conflict(peer, "peer " + peer.node + " has the tunnel address of another peer; the first one listed keeps it");
      return;
    }
    ways_.tunnel.push_back({&peer, mac, peer.gateway, std::move(destinations)});
  }

  // Whether its address is on a network of the underlay.
  bool is_neighbour(const NetworkPeer& peer) const {
    return std::any_of(networks_.begin(), networks_.end(),
                       [&peer](const Cidr& network) { return network.contains(peer.gateway); });
  }

  void conflict(const NetworkPeer& peer, std::string text) {
    ways_.conflicts.push_back({NetworkFindingKind::peer_conflict, peer.node, std::move(text), false});
  }

  const NetworkDesired& desired_;
  const NetworkObserved& observed_;
  const Blocks own_;
  const NetworkLink* underlay_;
  std::vector<Cidr> networks_;
  std::set<Cidr> taken_;
  std::set<MacAddress> macs_;
  PeerWays ways_;
};

}  // namespace

bool Blocks::overlaps(const Cidr& other) const {
  return (v4 && v4->overlaps(other)) || (v6 && v6->overlaps(other));
}

Blocks blocks_of(const NetworkPeer& peer) {
  Blocks blocks;
  add_block(blocks, peer.cidr);
  add_block(blocks, peer.second_cidr);
  return blocks;
}

Blocks own_blocks(const NetworkDesired& desired) {
  Blocks blocks;
  add_block(blocks, desired.own_cidr);
  add_block(blocks, desired.own_second_cidr);
  return blocks;
}

MacAddress tunnel_mac(std::uint8_t salt, const Blocks& blocks) {
  MacAddress mac{0x02};  // locally administered, of one device
  if (blocks.v4) {
    const std::uint32_t end = tunnel_end(*blocks.v4).to_u32();
    mac = {0x02,
           salt,
           static_cast<std::uint8_t>(end >> 24),
           static_cast<std::uint8_t>(end >> 16),
           static_cast<std::uint8_t>(end >> 8),
           static_cast<std::uint8_t>(end)};
  } else if (blocks.v6) {
    std::uint64_t hash = hashed(k_hash_start, salt);
    for (const char byte : blocks.v6->base().bytes()) hash = hashed(hash, static_cast<std::uint8_t>(byte));
    hash ^= hash >> 40;
    for (std::size_t i = 1; i < mac.size(); ++i, hash >>= 8) mac[i] = static_cast<std::uint8_t>(hash);
  }
  return mac;
}

IpAddress tunnel_end(const Cidr& block) {
  return block.base();
}

IpAddress tunnel_hop(const Cidr& block, const MacAddress& mac) {
  if (block.is_v4()) return tunnel_end(block);
  // Modified EUI-64 (RFC 4291, appendix A).
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(0xfe);
  bytes[1] = static_cast<char>(0x80);
  for (std::size_t i = 0; i < mac.size(); ++i) bytes[i < 3 ? 8 + i : 10 + i] = static_cast<char>(i == 0 ? mac[i] ^ 2U : mac[i]);
  bytes[11] = static_cast<char>(0xff);
  bytes[12] = static_cast<char>(0xfe);
  return IpAddress::from_bytes(bytes).value_or(IpAddress());
}

PeerWays peer_ways(const NetworkDesired& desired, const NetworkObserved& observed) {
  return Finder(desired, observed).find();
}

}  // namespace slipway
