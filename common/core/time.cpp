#include "common/core/time.hpp"

#include <cstdio>

#include "common/core/text.hpp"

namespace slipway {

namespace {

std::optional<Seconds> unit_of(char unit) {
  switch (unit) {
    case 's': return Seconds(1);
    case 'm': return Seconds(60);
    case 'h': return Seconds(3600);
    case 'd': return Seconds(86400);
    default: return std::nullopt;
  }
}

std::optional<unsigned> number_at(std::string_view text, std::size_t at, std::size_t size) {
  const auto value = parse_u64(text.substr(at, size), 9999);
  if (!value) return std::nullopt;
  return static_cast<unsigned>(*value);
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':' || (text.back() != 'Z' && text.back() != 'z')) {
    return std::nullopt;
  }
  const auto year = number_at(text, 0, 4);
  const auto month = number_at(text, 5, 2);
  const auto day = number_at(text, 8, 2);
  const auto hour = number_at(text, 11, 2);
  const auto minute = number_at(text, 14, 2);
  const auto second = number_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text.size() > 20 && text[19] != '.') return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + Seconds(*second);
}

std::optional<Seconds> parse_duration(std::string_view text) {
  Seconds total(0);
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    const auto count = parse_u64(text.substr(0, digits), 1'000'000'000);
    const auto unit = unit_of(text[digits]);
    if (!count || !unit) return std::nullopt;
    total += *unit * static_cast<Seconds::rep>(*count);
    text.remove_prefix(digits + 1);
  }
  return total;
}

namespace {

struct Unit {
  Seconds::rep size;
  char name;
};
constexpr Unit k_age_units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

}  // namespace

std::string to_duration_text(Seconds duration) {
  std::string out;
  auto left = duration.count();
  for (const Unit& unit : k_age_units) {
    if (unit.name == 'd') continue;  // Go's own durations stop at hours
    if (const auto count = left / unit.size; count > 0) out += std::to_string(count) + unit.name;
    left %= unit.size;
  }
  return out.empty() ? "0s" : out;
}

std::string to_age_text(Seconds duration) {
  std::string out;
  auto left = duration.count() < 0 ? 0 : duration.count();
  int shown = 0;
  for (const Unit& unit : k_age_units) {
    const auto count = left / unit.size;
    left %= unit.size;
    if (count == 0 && shown == 0) continue;
    if (count > 0) out += std::to_string(count) + unit.name;
    if (++shown == 2) break;
  }
  return out.empty() ? "0s" : out;
}

}  // namespace slipway
