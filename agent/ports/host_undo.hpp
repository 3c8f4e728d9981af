#pragma once
// Port: looks at what a ledger speaks of and undoes it.
#include "agent/domain/reset_plan.hpp"

namespace slipway {

// Blocks. Units are the supervisor's: their entries are passed over here.
class HostUndo {
 public:
  virtual ~HostUndo() = default;
  virtual Result<ResetSeen> look(const std::vector<Change>& changes) = 0;
  // Carries one step out; done already is success. Errors say what is left, and why.
  virtual Status undo(const ResetStep& step) = 0;
};

}  // namespace slipway
