#pragma once
// Taking away the chains of one owner from an iptables rule set, and nothing else. Pure, but for the two
// programs at the end.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway::net {

struct ChainRemoval {
  std::vector<std::string> chains;  // that go, as "nat KUBE-SERVICES"
  std::vector<std::string> kept;    // that cannot, with the reason
  std::string script;               // for iptables-restore --noflush; empty: nothing to do
};

// `saved`: what iptables-save prints. Chains whose name begins with `prefix` go, with the rules of built-in
// chains that jump to them (and, with Docker's prefix, those about docker0). A chain that a chain of somebody
// else's jumps to stays, and so does a DOCKER-USER that the administrator has written into.
ChainRemoval plan_chain_removal(std::string_view saved, const std::string& prefix);

class ChainRules {
 public:
  // Looks for the iptables and ip6tables programs in `folders`.
  explicit ChainRules(std::vector<std::string> folders) : folders_(std::move(folders)) {}
  // Chains of that prefix in both families. Without the programs there are none.
  Result<std::vector<std::string>> names(const std::string& prefix) const;
  Status remove(const std::string& prefix) const;

 private:
  std::vector<std::string> folders_;
};

}  // namespace slipway::net
