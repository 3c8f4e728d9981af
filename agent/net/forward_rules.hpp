#pragma once
// The node's FORWARD chain, of each family. Docker sets its policy to DROP, and an accept in a table of our own does not
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
  // Looks for iptables, ip6tables and their -restore programs in `folders`.
  explicit ForwardRules(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  bool has_tool(IpFamily family) const;
  // Blocks for the two runs of the program, at most some seconds when somebody holds its lock. Runs nothing where
  // the kernel has no filter table of that family (has_table()).
  Result<ForwardState> observe(IpFamily family, bool table_there) const;
  // Our chain with its rules and the jump at position 1, all in one transaction.
  Status put(const PutForward& wanted) const;
  Status remove(IpFamily family) const;

 private:
  std::vector<std::string> folders_;
};

// For tests. `forward` and `chain` are the outputs of iptables -S for FORWARD and for our chain (empty: no
// such chain).
ForwardState parse_forward(std::string_view forward, std::string_view chain);
int count_jumps(std::string_view forward);

}  // namespace slipway::net
