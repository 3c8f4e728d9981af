#pragma once
// The packet filter's part of the Network port: what there is, and the steps that change it. In the network
// namespace of the calling thread. Blocks for some milliseconds; see ForwardRules.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "agent/net/forward_rules.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

class FilterRules {
 public:
  // Programs are looked for in `folders`. `host_ports` tells the pods that have ports of this host; empty: nobody asks.
  explicit FilterRules(std::vector<std::string> folders, HostPortPods host_ports = {})
      : folders_(std::move(folders)), host_ports_(std::move(host_ports)), forward_(folders_) {}

  // `heard`: ChangeWatch::filter_changes(), of before this call. While it stays the same, the last answer holds but for what nftables
  // does not tell of: the older iptables, and whether there is a program. Every tenth time all is read whatever was heard,
  // and so is each time while pods' host ports lead nowhere.
  Result<FilterState> observe(std::optional<std::uint64_t> heard);
  // Empty: the step is not one of the packet filter.
  std::optional<Status> apply(const NetworkStep& step) const;

 private:
  struct Known {
    FilterState state;
    std::uint64_t heard = 0;
    int used = 0;
  };
  bool holds(const std::optional<std::uint64_t>& heard) const;
  Result<FilterState> read() const;

  std::vector<std::string> folders_;
  HostPortPods host_ports_;
  ForwardRules forward_;
  std::optional<Known> known_;
};

}  // namespace slipway::net
