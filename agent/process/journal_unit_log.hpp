#pragma once
// Adapter: the UnitLog port on systemd's journal.
#include <string>

#include "agent/ports/unit_log.hpp"

namespace slipway {

class JournalUnitLog final : public UnitLog {
 public:
  // Empty: the host's journal.
  explicit JournalUnitLog(std::string directory = "") : directory_(std::move(directory)) {}
  Result<std::vector<std::string>> last_lines(const std::string& unit) override;

 private:
  std::string directory_;
};

}  // namespace slipway
