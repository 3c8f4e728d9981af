#pragma once
// Log lines as entries of systemd's journal: each field of a line is a field there, so that journalctl finds it by name.
#include <string>
#include <string_view>
#include <vector>

#include "common/log/sink.hpp"

namespace slipway::systemd {

// "SLIPWAY_POD_CIDR" for "podCIDR".
std::string journal_field(std::string_view name);
// NAME=value: MESSAGE is the whole line, SLIPWAY_EVENT its constant part, SLIPWAY_* the fields as they are.
std::vector<std::string> journal_entry(const log::Record& record);

// From now on, where standard error is the journal's; else nothing changes. After log::setup(), before there are threads.
void log_to_journal();

}  // namespace slipway::systemd
