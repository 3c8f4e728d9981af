#pragma once
// The packet filter's part of the Network port: what there is, and the steps that change it. In the network
// namespace of the calling thread. Blocks for some milliseconds; see ForwardRules.
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "agent/net/forward_rules.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

class FilterRules {
 public:
  // Programs are looked for in `folders`.
  explicit FilterRules(std::vector<std::string> folders) : forward_(std::move(folders)) {}

  Result<FilterState> observe() const;
  // Empty: the step is not one of the packet filter.
  std::optional<Status> apply(const NetworkStep& step) const;

 private:
  ForwardRules forward_;
};

}  // namespace slipway::net
