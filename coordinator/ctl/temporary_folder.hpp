#pragma once
// A folder of its own, mode 0700, that goes away with its owner.
#include <string>
#include <utility>

#include "common/core/result.hpp"

namespace slipway::ctl {

class TemporaryFolder {
 public:
  // Below $TMPDIR or /var/tmp; not /tmp: what goes there has a hundred megabytes and /tmp may be memory.
  static Result<TemporaryFolder> make();
  static Result<TemporaryFolder> make_below(const std::string& parent);
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace slipway::ctl
