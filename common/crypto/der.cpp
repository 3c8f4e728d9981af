#include "common/crypto/der.hpp"

#include <chrono>
#include <cstdio>

#include "common/core/text.hpp"

namespace slipway::der {

namespace {

// Number of octets of the length field and the length itself; nullopt when not the minimal definite form.
std::optional<std::pair<std::size_t, std::size_t>> read_length(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  if (first < 0x80) return std::pair<std::size_t, std::size_t>(1, first);
  const std::size_t count = first & 0x7f;
  if (count == 0 || count > 4 || bytes.size() < 1 + count || bytes[1] == 0) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 1; i <= count; ++i) length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
  if (length < 0x80) return std::nullopt;
  return std::pair<std::size_t, std::size_t>(1 + count, length);
}

void append_header(std::string& out, std::uint8_t tag, std::size_t length) {
  out.push_back(static_cast<char>(tag));
  if (length < 0x80) {
    out.push_back(static_cast<char>(length));
  } else if (length < 0x100) {
    out.push_back(static_cast<char>(0x81));
    out.push_back(static_cast<char>(length));
  } else {
    // Only revocation lists have more than 64 KiB; one of 16 MiB would name half a million certificates.
    const bool large = length >= 0x10000;
    out.push_back(static_cast<char>(large ? 0x83 : 0x82));
    if (large) out.push_back(static_cast<char>(length >> 16));
    out.push_back(static_cast<char>(length >> 8));
    out.push_back(static_cast<char>(length));
  }
}

}  // namespace

std::optional<Item> Reader::next() {
  if (rest_.size() < 2 || (rest_[0] & 0x1f) == 0x1f) return std::nullopt;
  const auto length = read_length(rest_.substr(1));
  if (!length) return std::nullopt;
  const std::size_t start = 1 + length->first;
  if (rest_.size() - start < length->second) return std::nullopt;
  const Item found{static_cast<std::uint8_t>(rest_[0]), rest_.substr(start, length->second),
                   rest_.substr(0, start + length->second)};
  rest_.remove_prefix(found.whole.size());
  return found;
}

std::optional<Item> Reader::next(std::uint8_t tag) {
  if (!next_is(tag)) return std::nullopt;
  return next();
}

std::optional<Item> only(std::string_view bytes, std::uint8_t tag) {
  Reader reader(bytes);
  const auto found = reader.next(tag);
  if (!found || !reader.at_end()) return std::nullopt;
  return found;
}

std::optional<std::string_view> positive_integer(const Item& item) {
  std::string_view content = item.content;
  if (item.tag != k_integer || content.empty()) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(content[0]);
  if (first >= 0x80) return std::nullopt;
  if (first != 0) return content;
  if (content.size() < 2 || static_cast<std::uint8_t>(content[1]) < 0x80) return std::nullopt;
  return content.substr(1);
}

std::optional<std::string_view> whole_bits(const Item& item) {
  if (item.tag != k_bit_string || item.content.size() < 2 || item.content[0] != 0) return std::nullopt;
  return item.content.substr(1);
}

std::optional<WallTime> read_time(const Item& item) {
  std::string text(item.content);
  if (item.tag == k_utc_time && text.size() == 13) {
    text.insert(0, text[0] < '5' ? "20" : "19");
  } else if (item.tag != k_generalized_time) {
    return std::nullopt;
  }
  if (text.size() != 15 || text.back() != 'Z') return std::nullopt;
  const auto number = [&text](std::size_t at, std::size_t size) {
    return parse_u64(std::string_view(text).substr(at, size));
  };
  const auto year = number(0, 4), month = number(4, 2), day = number(6, 2);
  const auto hour = number(8, 2), minute = number(10, 2), second = number(12, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         Seconds(*second);
}

std::string oid_text(std::string_view content) {
  std::string text;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto octet = static_cast<std::uint8_t>(content[i]);
    if (value > (UINT64_MAX >> 7)) return "?";
    value = value << 7 | (octet & 0x7f);
    if ((octet & 0x80) != 0) {
      if (i + 1 == content.size()) return "?";
      continue;
    }
    if (text.empty()) {
      const std::uint64_t root = value < 80 ? value / 40 : 2;
      text = std::to_string(root) + "." + std::to_string(value - root * 40);
    } else {
      text += "." + std::to_string(value);
    }
    value = 0;
  }
  return text.empty() ? "?" : text;
}

std::string item(std::uint8_t tag, std::string_view content) {
  return item(tag, {content});
}

std::string item(std::uint8_t tag, std::initializer_list<std::string_view> parts) {
  std::size_t length = 0;
  for (const auto part : parts) length += part.size();
  std::string out;
  out.reserve(length + 4);
  append_header(out, tag, length);
  for (const auto part : parts) out.append(part);
  return out;
}

std::string unsigned_integer(std::string_view big_endian) {
  while (big_endian.size() > 1 && big_endian[0] == 0) big_endian.remove_prefix(1);
  const bool pad = big_endian.empty() || static_cast<std::uint8_t>(big_endian[0]) >= 0x80;
  return item(k_integer, {pad ? std::string_view("\0", 1) : std::string_view(), big_endian});
}

std::string bit_string(std::string_view bytes) {
  return item(k_bit_string, {std::string_view("\0", 1), bytes});
}

std::string time(WallTime when) {
  const auto days = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(when - days);
  char text[32];
  std::snprintf(text, sizeof text, "%04d%02u%02u%02d%02d%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  if (static_cast<int>(date.year()) < 2050) return item(k_utc_time, std::string_view(text + 2));
  return item(k_generalized_time, std::string_view(text));
}

}  // namespace slipway::der
