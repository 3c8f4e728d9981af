#include "coordinator/ctl/event_reader.hpp"

#include <utility>

namespace slipway::ctl {

namespace {
constexpr std::size_t k_max_event = 1024 * 1024;
}

Status EventReader::feed(std::string_view part) {
  rest_ += part;
  std::size_t begin = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    const Status taken = take_line(std::string_view(rest_).substr(begin, end - begin));
    begin = end + 1;
    if (!taken) return taken;
  }
  rest_.erase(0, begin);
  if (rest_.size() + event_.data.size() > k_max_event) return make_error(Errc::exhausted, "an event of the watch is too large");
  return {};
}

Status EventReader::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    const Event event = std::exchange(event_, {});
    return event.name.empty() && event.data.empty() ? Status() : on_event_(event);
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) return {};  // a comment: still there
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_.name = value;
  if (field == "data") event_.data.append(event_.data.empty() ? "" : "\n").append(value);
  return {};
}

}  // namespace slipway::ctl
