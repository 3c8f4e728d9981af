#pragma once
// When a process that lives is ill for so long that it is started anew. Pure; instants are arguments.
#include <chrono>
#include <optional>
#include <string>

#include "agent/domain/unit_status.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct LivenessLimits {
  int failures = 3;                // so many in a row are an illness, not a hiccup
  std::chrono::seconds grace{60};  // after a start nobody is asked to be well; doubles while starting anew does not help
};

// Watches one unit. observe() is given the answer to each question, in order of time.
class LivenessWatch {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  LivenessWatch() : LivenessWatch(LivenessLimits{}) {}
  explicit LivenessWatch(LivenessLimits limits) : limits_(limits) {}

  // Whether it may be asked: a unit that does not run is its supervisor's business, one that has just begun has its grace.
  bool asks(const UnitStatus& unit, Instant now);
  // Why it is to be started anew; empty: it is well, or may become so. A verdict begins a new grace, twice as long as the last.
  std::optional<std::string> observe(const Status& answer, Instant now);

 private:
  std::chrono::seconds grace() const;

  LivenessLimits limits_;
  std::string invocation_;
  Instant since_{};
  int failures_ = 0;
  int verdicts_ = 0;  // since it was well last
};

}  // namespace slipway
