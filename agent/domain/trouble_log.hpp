#pragma once
// Since when each trouble stands, and which was the newest. Pure.
#include <optional>
#include <vector>

#include "common/core/time.hpp"
#include "proto/file_types.hpp"

namespace slipway {

class TroubleLog {
 public:
  // `standing`: all there is now, without times. The same source with another text goes on: "heard 12 s ago"
  // is no new trouble a second later.
  void update(std::vector<proto::LocalError> standing, WallTime now);

  const std::vector<proto::LocalError>& standing() const { return standing_; }
  // The one that began last, also when it is over; absent: there was none since the agent's start.
  const std::optional<proto::LocalError>& last() const { return last_; }

 private:
  std::vector<proto::LocalError> standing_;
  std::optional<proto::LocalError> last_;
};

}  // namespace slipway
