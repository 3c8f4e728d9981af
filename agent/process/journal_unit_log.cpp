#include "agent/process/journal_unit_log.hpp"

#include "agent/domain/log_lines.hpp"
#include "common/core/text.hpp"
#include "common/systemd/journal.hpp"

namespace slipway {

Result<std::vector<std::string>> JournalUnitLog::last_lines(const std::string& unit) {
  const auto messages = systemd::last_messages(unit, k_log_depth, directory_);
  if (!messages) return messages.error();
  return last_log_lines(join(*messages, "\n"), false);
}

}  // namespace slipway
