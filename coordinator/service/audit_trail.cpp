#include "coordinator/service/audit_trail.hpp"

#include <utility>

#include "common/async/spawn.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr char k_others[] = "(other addresses)";

}  // namespace

bool AuditTrail::takes(const proto::AuditRecord& record) {
  const std::lock_guard lock(mutex_);
  const std::string& address = record.actor.address;
  // A stranger's addresses are many: no place for each of them once the total is used up.
  if (total_ < limits_.total_burst) {
    std::uint64_t& taken = taken_[address];
    if (taken < limits_.address_burst) {
      ++taken;
      ++total_;
      return true;
    }
  }
  count_locked(record.action, address);
  return false;
}

void AuditTrail::count_locked(const std::string& action, const std::string& address) {
  const Key key{action, address};
  const bool apart = counted_.size() < limits_.max_addresses || counted_.contains(key);
  ++counted_[apart ? key : Key{action, k_others}];
}

void AuditTrail::count(const std::string& action, const std::string& address) {
  const std::lock_guard lock(mutex_);
  count_locked(action, address);
}

asio::awaitable<Status> AuditTrail::refused(proto::AuditRecord record) {
  if (!takes(record)) co_return Status{};
  record.result = "refused";
  asio::awaitable<Status> noting = registrar_.note(std::move(record));
  co_return co_await std::move(noting);
}

void AuditTrail::refused_later(proto::AuditRecord record) {
  spawn_detached(state_, "audit", refused(std::move(record)));
}

asio::awaitable<Status> AuditTrail::flush() {
  std::map<Key, std::uint64_t> counted;
  {
    const std::lock_guard lock(mutex_);
    counted = std::exchange(counted_, {});
    taken_.clear();
    total_ = 0;
  }
  for (const auto& entry : counted) {
    proto::AuditRecord record;
    record.action = entry.first.first;
    record.result = "refused";
    record.actor.kind = "anonymous";
    record.actor.address = entry.first.second;
    record.detail = "so many more were refused in the last minute than are recorded one by one";
    record.count = entry.second;
    asio::awaitable<Status> noting = registrar_.note(std::move(record));
    const Status noted = co_await std::move(noting);
    if (!noted) co_return noted;
  }
  co_return Status{};
}

}  // namespace slipway
