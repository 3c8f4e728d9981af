#include "common/core/problems.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

std::string in_quotes(std::string_view text) {
  std::string shown(text.substr(0, 80));
  std::replace_if(shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return "\"" + shown + "\"";
}

void Problems::add(const std::string& pointer, const std::string& text) {
  if (lines_.empty()) first_ = pointer;
  lines_.push_back(pointer + ": " + text);
}

void Problems::add(const Problems& others) {
  if (lines_.empty()) first_ = others.first_;
  lines_.insert(lines_.end(), others.lines_.begin(), others.lines_.end());
}

Error Problems::error(Errc code, const std::string& head) const {
  return pointing_to(first_, make_error(code, head.empty() ? join(lines_, "\n") : head + "\n  " + join(lines_, "\n  ")));
}

}  // namespace slipway
