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

}  // namespace

void JoinLog::note(proto::JoinAttempt attempt) {
  std::string key = key_of(attempt);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    attempt.count += known->second->count;
    *known->second = std::move(attempt);
    entries_.splice(entries_.begin(), entries_, known->second);
    return;
  }
  entries_.push_front(std::move(attempt));
  by_key_.emplace(std::move(key), entries_.begin());
  if (entries_.size() <= capacity_) return;
  by_key_.erase(key_of(entries_.back()));
  entries_.pop_back();
}

proto::JoinAttemptList JoinLog::list() const { return {{entries_.begin(), entries_.end()}}; }

}  // namespace slipway
