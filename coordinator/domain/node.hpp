#pragma once
// A live node of the cluster, as the state knows it. A value, pure.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/domain/join_token.hpp"
#include "coordinator/domain/node_extras.hpp"
#include "coordinator/domain/packed_hex.hpp"

namespace slipway {

// The serial of the current certificate of each usage. A few: in a row, by usage.
class NodeSerials {
 private:
  using Entry = std::pair<CertUsage, PackedSerial>;

 public:
  // In the place of the one before.
  void set(CertUsage usage, const PackedSerial& serial) {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), usage, [](const Entry& entry, CertUsage u) { return entry.first < u; });
    if (place != entries_.end() && place->first == usage) {
      place->second = serial;
      return;
    }
    entries_.insert(place, {usage, serial});
    entries_.shrink_to_fit();
  }
  // Null: there is none. Until the next set().
  const PackedSerial* find(CertUsage usage) const {
    for (const Entry& entry : entries_) {
      if (entry.first == usage) return &entry.second;
    }
    return nullptr;
  }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }
  bool operator==(const NodeSerials&) const = default;

 private:
  std::vector<Entry> entries_;
};

struct Node {
  std::string name;
  std::string uid;               // UUID, new at each registration of the name
  std::uint64_t generation = 1;  // counts registrations of the name
  NodeRole role = NodeRole::node;
  bool replacing = false;  // its identity is dead: name and block wait for the host that takes its place
  bool unschedulable = false;  // an operator's wish: kube-apiserver is to put no new pods on it
  IpAddress address;
  std::string machine_id;  // empty: not told
  Cidr pod_cidr;
  std::optional<Cidr> second_pod_cidr;  // of the other family; absent: none, for ever
  WallTime joined_at{};
  WallTime renew_before{};      // its certificates that begin earlier are to be renewed; zero: none are
  std::string token_id;         // that admitted it
  std::string pool;             // that its token named; empty: the cluster's own range
  KeyDigest identity;           // of its agent key
  KeyDigest previous_identity;  // still accepted: an answer to a renewal may have been lost
  PackedSerial previous_agent_serial;
  NodeSerials certificates;
  Rare<NodeExtras> extras;
  bool operator==(const Node&) const = default;
};

std::vector<Cidr> blocks_of(const Node& node);  // one or two, the first is pod_cidr

}  // namespace slipway
