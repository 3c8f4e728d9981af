#pragma once
// Where log lines go instead of standard error.
#include <string_view>

#include "common/log/log.hpp"

namespace slipway::log {

struct Record {
  Level level = Level::info;
  std::string_view program;
  std::string_view message;  // constant
  std::string_view line;     // message and fields, escaped
  Fields fields;
};
// From any thread. False: it was not taken, and the line goes to standard error.
using Sink = bool (*)(const Record& record);

// Before there are threads.
void set_sink(Sink sink);
// Standard error is a stream of systemd's journal: JOURNAL_STREAM (systemd.exec(5)) is inherited by processes whose output goes elsewhere, too.
bool writes_to_journal();

}  // namespace slipway::log
