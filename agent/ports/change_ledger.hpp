#pragma once
// Port: the ledger of what the agent changes on its host.
#include <vector>

#include "agent/domain/change_ledger.hpp"

namespace slipway {

// Calls block (offload()); from one thread at a time.
class ChangeLedger {
 public:
  virtual ~ChangeLedger() = default;
  // To be called before anything is changed: for what has no entry yet it looks at what is there, keeps a
  // copy of what would be overwritten, and writes the entries, all of them durable when it returns. Knows
  // everything already: writes nothing. On an error nothing may be changed.
  virtual Status intend(const std::vector<Intent>& intents) = 0;
  virtual const Ledger& ledger() const = 0;
};

}  // namespace slipway
