#include "coordinator/service/join_log.hpp"

#include <iterator>
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
  const std::string address = attempt.address;
  const bool too_many = !attempt.accepted && ++refused_of_[address] > refused_per_host_;
  entries_.push_front({++last_place_, std::move(attempt)});
  by_key_.emplace(std::move(key), entries_.begin());
  if (too_many) forget_oldest_refusal_of(address);
  if (entries_.size() > capacity_) forget(std::prev(entries_.end()));
}

void JoinLog::forget(Entries::iterator entry) {
  if (!entry->attempt.accepted) {
    const auto refused = refused_of_.find(entry->attempt.address);
    if (--refused->second == 0) refused_of_.erase(refused);
  }
  by_key_.erase(key_of(entry->attempt));
  entries_.erase(entry);
}

// There is one.
void JoinLog::forget_oldest_refusal_of(const std::string& address) {
  auto entry = std::prev(entries_.end());
  while (entry->attempt.accepted || entry->attempt.address != address) --entry;
  forget(entry);
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
