#pragma once
// From who could not ping whom to the likely cause and its cure. Pure.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "proto/network_types.hpp"

namespace slipway {

enum class ProbeGoal : std::uint8_t { node, bridge, pod };
Result<ProbeGoal> probe_goal_from_string(std::string_view word);

enum class LossKind : std::uint8_t { silent, no_route, unreachable, refused, too_big };
std::string_view to_string(LossKind kind);
LossKind loss_kind_from_string(std::string_view word);  // a word of a newer agent's: silent

// What got no answer, though it was asked for more than once.
struct ProbeLoss {
  std::uint32_t from = 0;  // places in ProbePicture::nodes
  std::uint32_t to = 0;
  ProbeGoal goal = ProbeGoal::node;
  LossKind kind = LossKind::silent;
  std::uint32_t bytes = 0;  // of the packet; 0: small
  std::uint32_t mtu = 0;    // of too_big; 0: not told
  IpAddress address;        // says the family, too
  bool large() const { return bytes != 0; }
};

struct ProbedNode {
  std::string name;
  bool heard = false;     // by the coordinator, lately
  bool reported = false;  // its agent has brought its results
  std::string unready;    // why its pod network is not whole, by its own word; empty: it is
  // Families of which it was offered, by ProbeGoal: bit 0 IPv4, bit 1 IPv6.
  std::array<std::uint8_t, 3> offered{};
};

struct ProbePicture {
  proto::NetworkSettings settings;
  std::vector<ProbedNode> nodes;  // in the order that probe_peers() reckons with
  std::vector<ProbeLoss> losses;  // of nodes that reported
};

struct PairVerdict {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::string_view what;  // node, pod, mtu
  ProbeLoss loss;         // that tells most
  std::string cause;
  std::string cure;
};

struct Judgement {
  std::size_t failing = 0;
  std::vector<PairVerdict> first;  // of them, in the order of the nodes
};
// One for each pair and family at most of each kind: where the node is not reached its pods are not told of,
// and where small packets do not pass, large ones are not. The first `most` are put into words.
Judgement judge_pairs(const ProbePicture& picture, std::size_t most);

// The headers that the tunnel puts before a pod's packet, by the family of the nodes' addresses; 0: packets
// go as they are.
std::uint32_t tunnel_overhead(const proto::NetworkSettings& settings, bool v4);

}  // namespace slipway
