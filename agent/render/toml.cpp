#include "agent/render/toml.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/core/text.hpp"

namespace slipway::render_parts {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_levels = 32;

std::string escaped_control(unsigned char c) {
  constexpr char digits[] = "0123456789ABCDEF";
  return {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
          out += escaped_control(byte);
        } else {
          out += c;
        }
      }
    }
  }
  return out + "\"";
}

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? key : quoted(key);
}

Status append_value(std::string& out, const Json& value, std::size_t level);

Status append_list(std::string& out, const Json& list, std::size_t level) {
  out += "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ", ";
    if (Status written = append_value(out, list[i], level + 1); !written) return written;
  }
  out += "]";
  return {};
}

Status append_inline_table(std::string& out, const Json& table, std::size_t level) {
  out += "{";
  bool first = true;
  for (const auto& [key, value] : table.items()) {
    out += (first ? " " : ", ") + key_text(key) + " = ";
    first = false;
    if (Status written = append_value(out, value, level + 1); !written) return written;
  }
  out += first ? "}" : " }";
  return {};
}

Status append_value(std::string& out, const Json& value, std::size_t level) {
  if (level > k_max_levels) return make_error(Errc::invalid, "write TOML: more than 32 levels");
  if (value.is_array()) return append_list(out, value, level);
  if (value.is_object()) return append_inline_table(out, value, level);
  if (value.is_null()) return make_error(Errc::invalid, "write TOML: it has no null");
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return make_error(Errc::invalid, "write TOML: " + value.dump() + " is too large a number");
  }
  out += value.is_string() ? quoted(value.get_ref<const std::string&>()) : value.dump();
  return {};
}

Status append_table(std::string& out, const Json& table, const std::vector<std::string>& path) {
  if (path.size() > k_max_levels) return make_error(Errc::invalid, "write TOML: more than 32 levels");
  const auto is_table = [](const Json& value) { return value.is_object(); };
  const bool has_values =
      std::any_of(table.begin(), table.end(), [&](const Json& value) { return !is_table(value); });
  // A header is needed where values follow, and for an empty table, which would not be there else.
  if (!path.empty() && (has_values || table.empty()))
    out += (out.empty() ? "[" : "\n[") + join(path, ".") + "]\n";
  for (const auto& [key, value] : table.items()) {
    if (is_table(value)) continue;
    out += key_text(key) + " = ";
    if (Status written = append_value(out, value, path.size()); !written) return error_of(written, key);
    out += "\n";
  }
  for (const auto& [key, value] : table.items()) {
    if (!is_table(value)) continue;
    std::vector<std::string> below = path;
    below.push_back(key_text(key));
    if (Status written = append_table(out, value, below); !written) return written;
  }
  return {};
}

}  // namespace

Result<std::string> json_to_toml(const Json& value) {
  if (!value.is_object()) return make_error(Errc::invalid, "write TOML: only a map can be a document");
  std::string out;
  if (Status written = append_table(out, value, {}); !written) return written.error();
  return out;
}

}  // namespace slipway::render_parts
