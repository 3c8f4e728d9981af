#include "common/config/places.hpp"

#include <algorithm>
#include <vector>

#include "common/core/text.hpp"

namespace slipway {

void Places::lay_over(const Places& over) {
  if (file_.empty()) file_ = over.file_;
  for (const auto& [pointer, place] : over.places_) set(pointer, place);
}

std::string Places::of(std::string_view pointer) const {
  while (!pointer.empty()) {
    const auto found = places_.find(pointer);
    if (found != places_.end()) {
      const Place& place = found->second;
      return place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
    }
    const std::size_t slash = pointer.rfind('/');
    pointer = pointer.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return file_;
}

std::string Places::located(std::string_view text) const {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t start = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view rest = line.substr(start);
    std::string shown(line);
    if (rest.starts_with('/')) shown.insert(start, of(rest.substr(0, rest.find_first_of(": "))) + ": ");
    lines.push_back(std::move(shown));
  }
  return join(lines, "\n");
}

Error Places::located(Error error) const {
  error.message = located(error.message);
  return error;
}

}  // namespace slipway
