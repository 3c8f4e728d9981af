#include "tests/support/memory_store.hpp"

#include <utility>

namespace slipway::test {

MemoryStore::MemoryStore(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {
  const std::lock_guard lock(disk_->mutex);
  owner_ = ++disk_->owner;
}

Result<std::vector<KeyValue>> MemoryStore::load(std::string_view prefix) {
  const std::lock_guard lock(disk_->mutex);
  std::vector<KeyValue> found;
  for (auto at = disk_->pairs.lower_bound(prefix); at != disk_->pairs.end() && at->first.starts_with(prefix);
       ++at) {
    found.push_back({at->first, at->second});
  }
  return found;
}

Result<std::optional<std::string>> MemoryStore::read(std::string_view key) {
  const std::lock_guard lock(disk_->mutex);
  const auto found = disk_->pairs.find(key);
  if (found == disk_->pairs.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Status MemoryStore::commit(const Batch& batch) {
  const std::lock_guard lock(disk_->mutex);
  if (failed_) return make_error(Errc::internal, "the store has failed before");
  failed_ = true;
  if (owner_ != disk_->owner)
    return make_error(Errc::conflict, "another coordinator has taken over the store");
  if (disk_->commits >= disk_->fail_after)
    return make_error(Errc::internal, "committing to the store: planted failure");
  failed_ = false;
  ++disk_->commits;
  for (const std::string& key : batch.erases) disk_->pairs.erase(key);
  for (const KeyValue& pair : batch.puts) disk_->pairs.insert_or_assign(pair.key, pair.value);
  return {};
}

}  // namespace slipway::test
