#pragma once
// What a reset looks at and undoes in firewalld. Blocks.
#include <string>
#include <vector>

#include "agent/domain/reset_plan.hpp"
#include "agent/net/firewalld.hpp"

namespace slipway::net {

class FirewallUndo {
 public:
  // `etc`: where firewalld keeps its permanent settings, /etc/firewalld. They are looked into where it does not run.
  FirewallUndo(FirewalldOptions options, std::string etc) : options_(std::move(options)), etc_(std::move(etc)) {}

  // `name`: of the change ledger.
  Result<EntrySeen> look(const std::string& name) const;
  // Errc::unavailable: firewalld does not run, but its settings still hold ours.
  Status undo(const std::string& name) const;

 private:
  // The file that holds the entry, or "".
  std::string file_with(const std::string& name) const;

  FirewalldOptions options_;
  std::string etc_;
};

}  // namespace slipway::net
