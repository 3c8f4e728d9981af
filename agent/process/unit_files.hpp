#pragma once
// Files of the direct supervisor's units.
#include <cstddef>
#include <string>

#include "agent/ports/unit_log.hpp"

namespace slipway {

// Differs when the file was changed; empty: there is none.
std::string file_stamp(const std::string& path);

// Once the log is longer than `limit`, its content goes to PATH.1 and it begins anew. Its writers append and go on: what they
// write in between is lost. Trouble is passed over.
void bound_log(const std::string& path, std::size_t limit);

// Adapter: the UnitLog port on <dir>/UNIT.log.
class FileUnitLog final : public UnitLog {
 public:
  explicit FileUnitLog(std::string dir) : dir_(std::move(dir)) {}
  Result<std::vector<std::string>> last_lines(const std::string& unit) override;
  // The last lines as they were written, oldest first, of UNIT.log.1 too; 256 KiB at most. Blocks. Errc::not_found: neither
  // is there.
  Result<std::string> tail(const std::string& unit, std::size_t lines = 200) const;

 private:
  std::string dir_;
};

}  // namespace slipway
