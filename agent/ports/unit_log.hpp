#pragma once
// Port: what a unit printed last.
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

// Blocks: called on a worker.
class UnitLog {
 public:
  virtual ~UnitLog() = default;

  // At most 20 lines, oldest first, cleaned (domain/log_lines.hpp). None: it printed nothing, or that is not known any more.
  virtual Result<std::vector<std::string>> last_lines(const std::string& unit) = 0;
};

}  // namespace slipway
