#include "common/config/scalar.hpp"

#include <algorithm>

namespace slipway {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool all_of(std::string_view text, bool (*test)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), test);
}

bool is_one_of(std::string_view text, std::string_view lower, std::string_view capital, std::string_view upper) {
  return text == lower || text == capital || text == upper;
}

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  return text;
}

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

// (\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_real(std::string_view text) {
  const bool has_whole = !take_digits(text).empty();
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    if (take_digits(text).empty() && !has_whole) return false;
  } else if (!has_whole) {
    return false;
  }
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  return all_of(without_sign(text), is_digit);
}

}  // namespace

ScalarKind classify_scalar(std::string_view plain) {
  if (plain.empty() || plain == "~" || is_one_of(plain, "null", "Null", "NULL")) return ScalarKind::null;
  if (is_one_of(plain, "true", "True", "TRUE") || is_one_of(plain, "false", "False", "FALSE")) return ScalarKind::boolean;
  if (plain.starts_with("0x") && all_of(plain.substr(2), is_hex)) return ScalarKind::integer;
  if (plain.starts_with("0o") && all_of(plain.substr(2), is_octal)) return ScalarKind::integer;
  const std::string_view unsigned_text = without_sign(plain);
  if (all_of(unsigned_text, is_digit)) return ScalarKind::integer;
  if (is_one_of(unsigned_text, ".inf", ".Inf", ".INF") || is_one_of(plain, ".nan", ".NaN", ".NAN")) return ScalarKind::not_finite;
  return is_real(unsigned_text) ? ScalarKind::real : ScalarKind::text;
}

int json_depth(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace slipway
