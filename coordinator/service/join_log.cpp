#include "coordinator/service/join_log.hpp"

#include <utility>

namespace slipway {

namespace {

// Hosts choose some of the parts: with their sizes no two lists of parts make one key.
std::string key_of(const proto::JoinAttempt& attempt) {
  std::string key;
  for (const std::string* part : {&attempt.node_name, &attempt.address, &attempt.token_id, &attempt.stage, &attempt.reason}) {
    key += std::to_string(part->size());
    key += ' ';
    key += *part;
  }
  return key;
}

bool fits(const JoinQuery& query, const proto::JoinAttempt& attempt) {
  return (query.node.empty() || attempt.node_name == query.node) && (!query.accepted || attempt.accepted == *query.accepted) &&
         (query.stage.empty() || attempt.stage == query.stage);
}

}  // namespace

void JoinLog::note(proto::JoinAttempt attempt) {
  std::string key = key_of(attempt);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    attempt.count += known->second->attempt.count;
    *known->second = {++last_place_, std::move(attempt)};
    entries_.splice(entries_.begin(), entries_, known->second);
    return;
  }
  entries_.push_front({++last_place_, std::move(attempt)});
  by_key_.emplace(std::move(key), entries_.begin());
  if (entries_.size() <= capacity_) return;
  by_key_.erase(key_of(entries_.back().attempt));
  entries_.pop_back();
}

proto::JoinAttemptList JoinLog::list(const JoinQuery& query) const {
  proto::JoinAttemptList page;
  std::uint64_t last = 0;
  for (const auto& [place, attempt] : entries_) {
    if ((query.before != 0 && place >= query.before) || !fits(query, attempt)) continue;
    if (page.items.size() == query.limit) {
      page.next = std::to_string(last);
      break;
    }
    page.items.push_back(attempt);
    last = place;
  }
  return page;
}

}  // namespace slipway
