#pragma once
// Logging: constant messages with data as fields, so that logs can be searched. spdlog stays inside log.cpp.
// Values are escaped: a node name with a line feed cannot forge a line (security.md T18). Thread safe.
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway::log {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view name;
  std::string value;
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const std::string& v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(v) {}
  Field(std::string_view n, bool v) : name(n), value(v ? "true" : "false") {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view n, T v) : name(n), value(std::to_string(v)) {}
  Field(std::string_view n, const Error& v) : name(n), value(v.message) {}
};
using Fields = std::initializer_list<Field>;

// Under systemd (JOURNAL_STREAM set) lines carry "<N>" priorities instead of times. Called once at start.
Status setup(std::string_view program, std::string_view level_name);

void write(Level level, std::string_view message, Fields fields);
inline void debug(std::string_view message, Fields fields = {}) { write(Level::debug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::info, message, fields); }
inline void warning(std::string_view message, Fields fields = {}) { write(Level::warning, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }

// The line without time and priority: for tests.
std::string format_line(std::string_view message, Fields fields);

}  // namespace slipway::log
