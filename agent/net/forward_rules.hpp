#pragma once
// The node's FORWARD chain. Docker sets its policy to DROP, and an accept in a table of our own does not
// override that, so the rules must stand in the very chain: through the iptables program, whichever variant
// the machine uses, as Docker does.
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

class ForwardRules {
 public:
  // Looks for iptables and iptables-restore in `folders`.
  explicit ForwardRules(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // Blocks for the two runs of the program, at most some seconds when somebody holds its lock.
  Result<ForwardState> observe() const;
  // Our chain with its rules and the jump at position 1, all in one transaction.
  Status put(const std::vector<Cidr>& accepted) const;
  Status remove() const;

 private:
  std::vector<std::string> folders_;
};

// For tests. `forward` and `chain` are the outputs of iptables -S for FORWARD and for our chain (empty: no
// such chain).
ForwardState parse_forward(std::string_view forward, std::string_view chain);
int count_jumps(std::string_view forward);

}  // namespace slipway::net
