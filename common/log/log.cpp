#include "common/log/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "common/log/sink.hpp"

namespace slipway::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// journald reads syslog priorities from "<N>" at the start of a line.
std::string_view journal_priority(Level level) {
  switch (level) {
    case Level::debug: return "<7>";
    case Level::info: return "<6>";
    case Level::warning: return "<4>";
    case Level::error: return "<3>";
  }
  return "<3>";
}

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // "DEVICE:INODE"
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return stream == std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

const bool g_journal = stderr_is_journal();
Sink g_sink = nullptr;  // set once before threads, read-only afterwards

bool needs_quotes(std::string_view value) {
  for (const char c : value) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= ' ' || u >= 0x7f || c == '"' || c == '\\' || c == '=') return true;
  }
  return value.empty();
}

void append_quoted(std::string& out, std::string_view value) {
  constexpr char k_hex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : value) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u < ' ' || u == 0x7f) {
      out += "\\x";
      out.push_back(k_hex[u >> 4]);
      out.push_back(k_hex[u & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

std::string format_line(std::string_view message, Fields fields) {
  std::string line(message);
  for (const Field& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    if (needs_quotes(field.value)) {
      append_quoted(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

Status setup(std::string_view program, std::string_view level_name) {
  spdlog::level::level_enum level = spdlog::level::info;
  if (level_name == "debug") {
    level = spdlog::level::debug;
  } else if (level_name == "warning") {
    level = spdlog::level::warn;
  } else if (level_name == "error") {
    level = spdlog::level::err;
  } else if (level_name != "info" && !level_name.empty()) {
    return make_error(Errc::invalid, "log level must be debug, info, warning or error");
  }
  auto logger = spdlog::get(std::string(program));
  if (!logger) logger = spdlog::stderr_color_mt(std::string(program));
  logger->set_pattern(g_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %L %n: %v");
  logger->set_level(level);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
  return {};
}

void set_sink(Sink sink) { g_sink = sink; }

bool writes_to_journal() { return g_journal; }

void write(Level level, std::string_view message, Fields fields) {
  spdlog::logger& logger = *spdlog::default_logger_raw();
  if (!logger.should_log(to_spdlog(level))) return;
  std::string line = format_line(message, fields);
  if (g_sink != nullptr && g_sink({level, logger.name(), message, line, fields})) return;
  if (g_journal) line.insert(0, journal_priority(level));
  logger.log(to_spdlog(level), std::string_view(line));
}

}  // namespace slipway::log
