#pragma once
// A Store in memory that passes the store contract. Several stores may share one Disk, as processes share a file: the last one
// opened owns it. Commits can be made to fail.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  explicit MemoryStore(std::shared_ptr<Disk> disk = std::make_shared<Disk>());
  const std::shared_ptr<Disk>& disk() const { return disk_; }

  Result<std::vector<KeyValue>> load(std::string_view prefix) override;
  Result<std::optional<std::string>> read(std::string_view key) override;
  Status commit(const Batch& batch) override;

 private:
  std::shared_ptr<Disk> disk_;
  std::uint64_t owner_ = 0;
  bool failed_ = false;
};

}  // namespace slipway::test
