#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/config/scalar.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

bool is_plain_char(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./-:+@%=,() ").find(static_cast<char>(c)) != std::string_view::npos;
}

// Words and shapes that readers of YAML 1.1 (kubectl, Python) take for booleans, times or numbers.
bool is_old_special(std::string_view text) {
  static constexpr std::string_view k_words[] = {"y", "n", "yes", "no", "on", "off"};
  if (std::find(std::begin(k_words), std::end(k_words), lower(text)) != std::end(k_words)) return true;
  const bool number_like = (text[0] >= '0' && text[0] <= '9') || text[0] == '.' || text[0] == '-' || text[0] == '+';
  if (!number_like) return false;
  const bool date_like = text.size() >= 8 && text[4] == '-';
  return date_like || text.find_first_of(":,_") != std::string_view::npos || text.front() == '-' || text.front() == '+';
}

bool can_be_plain(std::string_view text) {
  if (text.empty() || classify_scalar(text) != ScalarKind::text || is_old_special(text)) return false;
  const unsigned char first = static_cast<unsigned char>(text.front());
  if (!std::isalnum(first) && first != '/' && first != '_' && first != '.') return false;
  if (text.starts_with("...")) return false;  // at a line's begin it ends the document
  if (text.back() == ' ' || text.back() == ':') return false;
  if (text.find(": ") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_plain_char(static_cast<unsigned char>(c)); });
}

// Text of several lines ending in one line feed or none, nothing a literal block could change.
bool can_be_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.front() == '\n' || text.front() == ' ' || text.ends_with("\n\n")) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); });
}

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

class Writer {
 public:
  std::string out;

  // After "key:" or "-": scalars on the same line, the rest below with `indent`.
  void value_after(const Json& value, int indent, bool in_list) {
    if (value.is_object() && !value.empty()) {
      if (!in_list) out += '\n';
      map(value, indent, in_list);
    } else if (value.is_array() && !value.empty()) {
      out += '\n';
      list(value, in_list ? indent : indent - 2);
    } else {
      out += in_list ? "" : " ";
      scalar(value, indent);
      out += '\n';
    }
  }

  void map(const Json& value, int indent, bool first_on_line) {
    for (const auto& [key, item] : value.items()) {
      if (!first_on_line) out.append(static_cast<std::size_t>(indent), ' ');
      first_on_line = false;
      out += can_be_plain(key) ? key : quoted(key);
      out += ':';
      value_after(item, indent + 2, false);
    }
  }

  void list(const Json& value, int indent) {
    for (const Json& item : value) {
      out.append(static_cast<std::size_t>(indent), ' ');
      if (item.is_array() && !item.empty()) {
        out += '-';
      } else {
        out += "- ";
      }
      value_after(item, indent + 2, true);
    }
  }

  void scalar(const Json& value, int indent) {
    if (!value.is_string()) {
      out += value.is_structured() ? (value.is_object() ? "{}" : "[]") : value.dump();
      return;
    }
    const auto& text = value.get_ref<const std::string&>();
    if (can_be_plain(text)) {
      out += text;
    } else if (can_be_block(text)) {
      block(text, indent);
    } else {
      out += quoted(text);
    }
  }

 private:
  void block(std::string_view text, int indent) {
    out += text.back() == '\n' ? "|" : "|-";
    if (text.back() == '\n') text.remove_suffix(1);
    for (const std::string_view line : split(text, '\n')) {
      out += '\n';
      if (line.empty()) continue;
      out.append(static_cast<std::size_t>(std::max(indent, 2)), ' ');
      out += line;
    }
  }
};

}  // namespace

Result<std::string> json_to_yaml(std::string_view json) {
  if (json_depth(json) > k_max_json_depth) return make_error(Errc::invalid, "write as YAML: more than 64 levels");
  const Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) return make_error(Errc::invalid, "write as YAML: not JSON");
  Writer writer;
  if (value.is_object() && !value.empty()) {
    writer.map(value, 0, false);
  } else if (value.is_array() && !value.empty()) {
    writer.list(value, 0);
  } else {
    writer.scalar(value, 2);
    writer.out += '\n';
  }
  return writer.out;
}

}  // namespace slipway
