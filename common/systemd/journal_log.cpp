#include "common/systemd/journal_log.hpp"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/uio.h>
#include <systemd/sd-journal.h>

namespace slipway::systemd {

namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// syslog(3)
const char* priority(log::Level level) {
  switch (level) {
    case log::Level::debug: return "7";
    case log::Level::info: return "6";
    case log::Level::warning: return "4";
    case log::Level::error: return "3";
  }
  return "3";
}

std::string assigned(std::string_view name, std::string_view value) {
  std::string text(name);
  text += '=';
  text += value;
  return text;
}

bool send(const log::Record& record) {
  std::vector<std::string> entry = journal_entry(record);
  std::vector<iovec> parts;
  for (std::string& field : entry) parts.push_back({field.data(), field.size()});
  return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

std::string journal_field(std::string_view name) {
  std::string field = "SLIPWAY_";
  char before = '_';
  for (const char c : name) {
    if (is_upper(c) && (is_lower(before) || is_digit(before))) field += '_';
    if (is_lower(c)) {
      field += static_cast<char>(c - 'a' + 'A');
    } else {
      field += is_upper(c) || is_digit(c) ? c : '_';
    }
    before = c;
  }
  return field;
}

std::vector<std::string> journal_entry(const log::Record& record) {
  std::vector<std::string> entry = {assigned("MESSAGE", record.line), assigned("PRIORITY", priority(record.level)),
                                    assigned("SYSLOG_IDENTIFIER", record.program), assigned("SLIPWAY_EVENT", record.message)};
  for (const log::Field& field : record.fields) entry.push_back(assigned(journal_field(field.name), field.value));
  return entry;
}

void log_to_journal() {
  if (log::writes_to_journal()) log::set_sink(send);
}

}  // namespace slipway::systemd
