#pragma once
// Server-sent events (WHATWG HTML, "Parsing an event stream") from parts of any size. Pure.
#include <functional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway::ctl {

struct Event {
  std::string name;
  std::string data;
};

class EventReader {
 public:
  explicit EventReader(std::function<Status(const Event&)> on_event) : on_event_(std::move(on_event)) {}
  // Calls on_event for each event that is complete; its error ends the reading. Errc::exhausted for an event of more than
  // 1 MiB: nothing of ours is that large.
  Status feed(std::string_view part);

 private:
  Status take_line(std::string_view line);

  std::function<Status(const Event&)> on_event_;
  std::string rest_;  // of a line that has not ended
  Event event_;
};

}  // namespace slipway::ctl
