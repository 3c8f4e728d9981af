#include "common/http/message.hpp"

#include "common/core/text.hpp"
#include "common/http/target.hpp"

namespace slipway::http {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
    case Method::other:
      return "OTHER";
  }
  return "OTHER";
}

namespace {

char lower_char(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower_char(a[i]) != lower_char(b[i])) return false;
  }
  return true;
}

}  // namespace

void Headers::set(std::string_view name, std::string value) {
  for (auto& [key, old] : all_) {
    if (same_name(key, name)) {
      old = std::move(value);
      return;
    }
  }
  all_.emplace_back(std::string(name), std::move(value));
}

const std::string* Headers::find(std::string_view name) const {
  for (const auto& [key, value] : all_) {
    if (same_name(key, name)) return &value;
  }
  return nullptr;
}

std::optional<std::string> query_parameter(const Request& request, std::string_view name) {
  if (request.query.empty()) return std::nullopt;
  for (const std::string_view part : split(request.query, '&')) {
    const std::size_t equals = part.find('=');
    const std::optional<std::string> key = percent_decode(part.substr(0, equals), true);
    if (!key || *key != name) continue;
    if (equals == std::string_view::npos) return std::string();
    return percent_decode(part.substr(equals + 1), true);
  }
  return std::nullopt;
}

std::vector<std::string> query_keys(const Request& request) {
  std::vector<std::string> keys;
  for (const std::string_view part : split(request.query, '&')) {
    if (!part.empty()) keys.push_back(percent_decode(part.substr(0, part.find('=')), true).value_or(""));
  }
  return keys;
}

}  // namespace slipway::http
