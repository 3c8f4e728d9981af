#include "agent/domain/trouble_log.hpp"

#include <algorithm>
#include <utility>

namespace slipway {

void TroubleLog::update(std::vector<proto::LocalError> standing, WallTime now) {
  std::vector<proto::LocalError> before = std::exchange(standing_, {});
  for (proto::LocalError& error : standing) {
    const auto same = std::find_if(before.begin(), before.end(), [&error](const proto::LocalError& old) {
      return old.source == error.source;
    });
    const bool is_new = same == before.end();
    error.since = is_new ? to_rfc3339(now) : same->since;
    error.ended.reset();
    if (is_new || (last_ && !last_->ended && last_->source == error.source)) last_ = error;
    if (!is_new) before.erase(same);
    standing_.push_back(std::move(error));
  }
  if (!last_ || last_->ended) return;
  const bool stands = std::any_of(standing_.begin(), standing_.end(), [this](const proto::LocalError& error) {
    return error.source == last_->source;
  });
  if (!stands) last_->ended = to_rfc3339(now);
}

}  // namespace slipway
