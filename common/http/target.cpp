#include "common/http/target.hpp"

#include "common/core/text.hpp"

namespace slipway::http {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool has_control(std::string_view text) {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) return true;
  }
  return false;
}

Status append_segment(std::string& path, std::string_view raw) {
  const std::optional<std::string> segment = percent_decode(raw, false);
  if (!segment) return make_error(Errc::invalid, "broken percent escape in the path");
  if (segment->empty()) return make_error(Errc::invalid, "empty segment in the path");
  if (*segment == "." || *segment == "..") return make_error(Errc::invalid, "dot segment in the path");
  if (segment->find('/') != std::string::npos) return make_error(Errc::invalid, "encoded slash in the path");
  if (has_control(*segment)) return make_error(Errc::invalid, "control character in the path");
  path += '/';
  path += *segment;
  return {};
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Result<Target> parse_target(std::string_view target) {
  if (target.empty() || target[0] != '/')
    return make_error(Errc::invalid, "the request target must start with a slash");
  if (target.find('#') != std::string_view::npos)
    return make_error(Errc::invalid, "fragment in the request target");
  Target out;
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (question != std::string_view::npos) out.query = target.substr(question + 1);
  const std::optional<std::string> query = percent_decode(out.query, true);
  if (!query || has_control(*query))
    return make_error(Errc::invalid, "broken percent escape or control character in the query");
  if (path == "/") {
    out.path = "/";
    return out;
  }
  for (const std::string_view segment : split(path.substr(1), '/')) {
    const Status appended = append_segment(out.path, segment);
    if (!appended) return appended.error();
  }
  return out;
}

}  // namespace slipway::http
