#include "agent/domain/liveness.hpp"

#include <algorithm>

namespace slipway {

namespace {
constexpr int k_most_doublings = 4;  // of a minute: a quarter of an hour
}

std::chrono::seconds LivenessWatch::grace() const { return limits_.grace * (1 << std::min(verdicts_, k_most_doublings)); }

bool LivenessWatch::asks(const UnitStatus& unit, Instant now) {
  if (!unit.running() || unit.main_pid == 0) return false;
  if (unit.invocation != invocation_) {
    invocation_ = unit.invocation;
    since_ = now;
    failures_ = 0;
  }
  return now - since_ >= grace();
}

std::optional<std::string> LivenessWatch::observe(const Status& answer, Instant now) {
  if (answer) {
    failures_ = 0;
    verdicts_ = 0;
    return std::nullopt;
  }
  if (++failures_ < limits_.failures) return std::nullopt;
  const std::string why = "it lives but is ill, " + std::to_string(failures_) + " times in a row: " + answer.error().message;
  failures_ = 0;
  since_ = now;
  ++verdicts_;
  return why;
}

}  // namespace slipway
