#pragma once
// A MemoryStore whose commits wait at a gate: shows what a registrar does while the disk is slow.
#include <condition_variable>
#include <mutex>

#include "tests/support/memory_store.hpp"

namespace slipway::test {

class GateStore final : public Store {
 public:
  Result<std::vector<KeyValue>> load(std::string_view prefix) override { return inner_.load(prefix); }
  Result<std::optional<std::string>> read(std::string_view key) override { return inner_.read(key); }
  Status commit(const Batch& batch) override {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_ || passes_ > 0; });
      if (!open_) --passes_;
    }
    return inner_.commit(batch);
  }

  void close() { set(false); }
  void open() { set(true); }
  // Lets one commit through.
  void pass_one() {
    const std::lock_guard lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  // Blocks until `count` commits have come to the gate since the beginning.
  void wait_for_commits(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return waiting_ >= count; });
  }
  MemoryStore& inner() { return inner_; }

 private:
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  MemoryStore inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::size_t passes_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace slipway::test
