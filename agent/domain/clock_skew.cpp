#include "agent/domain/clock_skew.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr Seconds k_tolerance{300};

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "Sun, 22 Nov 2026 12:00:00 GMT": places are fixed.
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[19] != ':' ||
      text[22] != ':')
    return std::nullopt;
  const auto number = [&text](std::size_t at, std::size_t size, std::uint64_t max) {
    return parse_u64(text.substr(at, size), max);
  };
  const auto day = number(5, 2, 31), year = number(12, 4, 9999), hour = number(17, 2, 23),
             minute = number(20, 2, 59), second = number(23, 2, 60);
  const auto month = std::find(k_months.begin(), k_months.end(), text.substr(8, 3));
  if (!day || !year || !hour || !minute || !second || month == k_months.end()) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - k_months.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         Seconds(*second);
}

std::optional<std::string> clock_skew(WallTime here, WallTime coordinator) {
  const Seconds behind = coordinator - here;
  if (std::chrono::abs(behind) <= k_tolerance) return std::nullopt;
  return "the clocks differ: this host says " + to_rfc3339(here) + ", the coordinator " +
         to_rfc3339(coordinator) + ", so this host is " + to_age_text(std::chrono::abs(behind)) +
         (behind.count() > 0 ? " behind" : " ahead") +
         "; set the clock that is wrong (timedatectl set-ntp true)";
}

}  // namespace slipway
