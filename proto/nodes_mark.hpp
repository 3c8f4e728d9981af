#pragma once
// Number and hash of the nodes of a desired state: by them an agent finds out whether what it put together from changes is what the
// coordinator has. The nodes' order does not matter, and one node's part is put in or taken out by itself, so that a change costs what it
// changes. It guards against faults, not against forgery: both ends have proved who they are (mutual TLS). Pure.
//
// A node's part: its fields below as text, a line feed behind each, through 64-bit FNV-1a (RFC 9923) and then, because sums of bare FNV
// values keep too much of their likeness, through the finaliser of MurmurHash3; the parts are added modulo 2^64.
#include <cstdint>
#include <string>

#include "proto/desired_types.hpp"

namespace slipway::proto {

// name, uid, generation, role, address, podCIDR, renewBefore, secondPodCIDR, an absent one empty, and an
// empty line for secondAddress, which agents of 0.4 knew and nobody filled: those that agents of every
// version since deltas know. A field that comes later must stay out, or older agents would never agree.
std::uint64_t part_of(const PeerNode& node);

struct NodesMark {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;

  void put(const PeerNode& node);
  void take(const PeerNode& node);
  std::string hash() const;  // 16 lower-case hex digits
  bool operator==(const NodesMark&) const = default;
};

NodesMark mark_of(const std::vector<PeerNode>& nodes);

}  // namespace slipway::proto
