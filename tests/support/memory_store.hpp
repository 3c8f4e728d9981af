#pragma once
// A Store in memory that passes the store contract. Several stores may share one Disk, as processes share a file: the last one
// opened owns it. Commits can be made to fail.
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "coordinator/ports/store.hpp"

namespace slipway::test {

class MemoryStore final : public Store {
 public:
  struct Disk {
    std::mutex mutex;
    std::map<std::string, std::string, std::less<>> pairs;
    std::uint64_t owner = 0;
    std::size_t commits = 0;
    std::size_t fail_after = SIZE_MAX;  // commits that still succeed
  };

  explicit MemoryStore(std::shared_ptr<Disk> disk = std::make_shared<Disk>()) : disk_(std::move(disk)) {
    const std::lock_guard lock(disk_->mutex);
    owner_ = ++disk_->owner;
  }
  const std::shared_ptr<Disk>& disk() const { return disk_; }

  Result<std::vector<KeyValue>> load(std::string_view prefix) override {
    const std::lock_guard lock(disk_->mutex);
    std::vector<KeyValue> found;
    for (auto at = disk_->pairs.lower_bound(prefix); at != disk_->pairs.end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, at->second});
    }
    return found;
  }

  Result<std::optional<std::string>> read(std::string_view key) override {
    const std::lock_guard lock(disk_->mutex);
    const auto found = disk_->pairs.find(key);
    if (found == disk_->pairs.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }

  Status commit(const Batch& batch) override {
    const std::lock_guard lock(disk_->mutex);
    if (failed_) return make_error(Errc::internal, "the store has failed before");
    failed_ = true;
    if (owner_ != disk_->owner) return make_error(Errc::conflict, "another coordinator has taken over the store");
    if (disk_->commits >= disk_->fail_after) return make_error(Errc::internal, "committing to the store: planted failure");
    failed_ = false;
    ++disk_->commits;
    for (const std::string& key : batch.erases) disk_->pairs.erase(key);
    for (const KeyValue& pair : batch.puts) disk_->pairs.insert_or_assign(pair.key, pair.value);
    return {};
  }

 private:
  std::shared_ptr<Disk> disk_;
  std::uint64_t owner_ = 0;
  bool failed_ = false;
};

}  // namespace slipway::test
