#pragma once
// What the node's pod network should look like, what it looks like, and the steps from one to the other.
// Pure. Every object the agent makes carries a mark (route protocol 77, the tunnel device's name, table
// "ip slipway", chain SLIPWAY-FORWARD, link-local addresses fe80::5157:*), so that a full comparison is
// always possible and nothing of somebody else's is ever touched.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/domain/overlay_state.hpp"
#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway {

inline constexpr std::uint8_t k_route_protocol = 77;
inline constexpr std::uint32_t k_blackhole_metric =
    4294967294U;  // the worst: cni0's connected route wins over it
inline constexpr char k_pod_bridge[] = "cni0";

enum class NetworkBackend {
  host_gw,   // routes to the peers' own addresses on one link
  vxlan,     // a tunnel to each peer
  routes,    // the network outside leads each block to its node: no peer has a route here
  external,  // somebody else's CNI: everything marked ours is removed, only the sysctls stay
};

struct NetworkPeer {
  std::string node;   // for reports only
  Cidr cidr;          // its pods
  IpAddress gateway;  // the node's own address
  std::optional<Cidr> second_cidr = {};  // of the other family
  bool operator==(const NetworkPeer&) const = default;
};

struct NetworkDesired {
  NetworkBackend backend = NetworkBackend::host_gw;
  IpAddress node_address;           // the link that has it is the underlay
  std::optional<Cidr> own_cidr;     // empty until the coordinator gave one
  std::vector<NetworkPeer> peers;   // an entry for the node itself is ignored
  std::vector<Cidr> pools;          // all pod ranges of the cluster: not masqueraded, accepted in FORWARD
  std::vector<Cidr> no_masquerade;  // the operator's further ranges
  int mtu = 0;                      // for pods; 0: what the underlay leaves
  bool accept_forward = true;       // false: another policy engine owns FORWARD
  std::optional<Cidr> own_second_cidr = {};  // of the other family
  bool cross_subnet = false;        // neighbours directly, all others through the tunnel: with host_gw and vxlan
  std::uint32_t vxlan_id = 1;
  std::uint16_t vxlan_port = 8472;
  std::uint8_t mac_salt = 0;        // of the cluster: two clusters on one network have different tunnel MACs
};

struct LinkAddress {
  IpAddress address;
  int prefix_length = 0;
  bool usable = true;  // false: the kernel still asks whether somebody else has it, or found so (IPv6)
  bool connected = true;  // false: no route leads to its prefix by this interface; looked at on the pod bridge alone
  bool operator==(const LinkAddress&) const = default;
};

struct LinkIpv6 {
  bool disabled = false;  // net.ipv6.conf.<interface>.disable_ipv6
  std::uint32_t accept_ra =
      0;  // likewise: 1 listens to routers' advertisements unless the host forwards, 2 in any case
  bool learnt =
      false;  // the kernel has an address or a route from a router there; told only as long as it listens
  bool operator==(const LinkIpv6&) const = default;
};

struct NetworkLink {
  int index = 0;
  std::string name;
  int master = 0;        // index of the bridge it is a port of; 0: none
  bool up = false;       // administratively
  bool carrier = false;  // routes survive carrier loss, not an administrative down
  int mtu = 0;
  std::vector<LinkAddress> addresses;
  MacAddress mac{};                  // zero: it has none
  std::optional<VxlanConfig> vxlan = {};  // of a vxlan device
  std::optional<LinkIpv6> v6 = {};        // empty: the kernel has no IPv6 there, or does not tell
};

// A route in the main table with our protocol number.
struct MarkedRoute {
  Cidr destination;
  std::optional<IpAddress> gateway;  // of either family: IPv4 by a gateway of IPv6 needs Linux 5.2
  int link = 0;  // interface index; 0 with a blackhole
  std::uint32_t metric = 0;
  bool blackhole = false;
  bool onlink = false;  // into the tunnel: its other end is on no network that the kernel could check
  std::optional<IpAddress> source = {};  // of what the node itself sends there; empty: the kernel picks
  bool operator==(const MarkedRoute&) const = default;
};

struct NetworkObserved {
  std::vector<NetworkLink> links;
  std::vector<MarkedRoute> routes;
  std::vector<ObservedSysctl> sysctls;
  FilterState filter;
  std::map<NetworkFile, std::string> files;  // those that are there
  bool dhcpcd = false;  // one runs that would take the pod network's devices
  // Of the tunnel device, when there is one.
  std::vector<Neighbour> neighbours;
  std::vector<ForwardingEntry> forwarding;
  std::vector<ObservedSysctl> overlay_sysctls;
  std::optional<bool> overlay_checksum_offload;  // empty: the device has no such switch
  std::string kernel_release;                    // as uname -r
};

struct PutRoute {  // create or replace in one kernel operation, never delete and add
  MarkedRoute route;
  std::string node;  // the peer it is for; empty for the own blackhole
};
struct RemoveRoute {
  MarkedRoute route;
};
struct PutLinkAddress {  // on the underlay (link_hop.hpp) or the pod bridge (bridge_plan.hpp), at once usable
  int link = 0;
  LinkAddress address;
  std::string name;  // the interface's, for reports
};
struct RemoveLinkAddress {
  int link = 0;
  LinkAddress address;
  std::string name;
};
struct RemoveBridge {  // a pod bridge of a former CIDR without any port
  int index = 0;
  std::string name;
};

using NetworkStep =
    std::variant<RemoveBridge, LoadModule, SetSysctl, WriteNetworkFile, RemoveRoute, PutRoute, PutMasquerade,
                 RemoveMasquerade, PutForward, RemoveForward, PutOverlay, MendOverlay, RemoveOverlay,
                 PutOverlayAddress, RemoveOverlayAddress, SetChecksumOffload, PutNeighbour, RemoveNeighbour,
                 PutForwarding, RemoveForwarding, PutLinkAddress, RemoveLinkAddress>;

// For people and logs: "put route 10.10.3.0/24 via 10.77.0.13 (node n3)".
std::string describe(const NetworkStep& step);

// Steps in the order in which to apply them; empty when converged. A step that cannot work now (no underlay,
// no iptables) is left out and reported by network_findings.
std::vector<NetworkStep> plan_network(const NetworkDesired& desired, const NetworkObserved& observed);

enum class NetworkFindingKind {
  no_underlay,  // no link has the node's address
  underlay_down,
  own_cidr_missing,
  bridge_in_use,  // cni0 has an address outside the own CIDR and pods are attached: drain the node
  mtu_too_large,
  peer_conflict,        // two peers with one CIDR, a peer with this node's CIDR or address
  no_iptables,          // FORWARD is not guarded: traffic between pods stops when Docker sets its policy
  foreign_refusal,      // a chain of somebody else's refuses forwarded packets
  mixed_iptables,       // both variants have rules
  host_ports_lost,      // pods' rules for ports of this host are gone
  dhcpcd,               // gives addresses to pods' devices
  not_adjacent,         // peers for which the backend has no way
  overlay_conflict,     // another vxlan device takes the tunnel's packets
  overlay_missing,      // the tunnel device could not be made or set up
  mtu_too_small,        // for IPv6
  underlay_without_v6,  // IPv6 is disabled on it
};
struct NetworkFinding {
  NetworkFindingKind kind;
  std::string node;  // the peer concerned, or empty
  std::string message;
  bool blocks_pods = false;  // do not offer this node to pods (write no conflist) while it lasts
};
// What no step can mend. Of peers without a way the first few are named.
std::vector<NetworkFinding> network_findings(const NetworkDesired& desired, const NetworkObserved& observed);

// The metric of the route to `prefix` (IPv4: at most /30): a pure function, different for any two IPv4 prefixes, never 0.
// The kernel hashes IPv4 routes by metric and not by gateway; with equal metrics inserting N routes takes N^2
// (notes: docs/architecture.md). IPv6 routes have no such trap; theirs is one that nobody else uses, because a route replaces
// another of the same destination and metric, whoever made that.
std::uint32_t route_metric(const Cidr& prefix);

// The link that has `node_address`, or null.
const NetworkLink* underlay_of(const NetworkObserved& observed, const IpAddress& node_address);

// Whether peers may be reached through the tunnel. Then answers may come on another interface than the one that leads there:
// net.ipv4.conf.*.rp_filter must not be 1 (strict) on the tunnel and the bridge; of nodes' addresses the underlay is the way back, too.
bool uses_overlay(const NetworkDesired& desired);

// The MTU to write in the CNI configuration: what the underlay leaves, at most the wanted one; 0 when neither is known.
int pod_mtu(const NetworkDesired& desired, const NetworkObserved& observed);

}  // namespace slipway
