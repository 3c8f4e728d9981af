#pragma once
// Tells that one of some files was written, replaced, removed, or changed in mode or owner. inotify(7).
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

// On `executor`'s thread only; must outlive its waiter. Folders are watched, not files: a file that is replaced by rename or was never there
// is seen too. Other files of the same folders are none of its business.
class FileWatch {
 public:
  static Result<FileWatch> open(boost::asio::any_io_executor executor);
  ~FileWatch();
  FileWatch(FileWatch&&) noexcept;
  FileWatch& operator=(FileWatch&&) noexcept;

  // From now on these absolute paths and no others; /folder/* is all that is in one. A folder that is not there is passed over until the next call. Errors: the kernel's
  // limit of watches (fs.inotify.max_user_watches), with what helps; what could be watched is.
  Status watch(const std::vector<std::string>& paths);

  // Resumes at the next change, at once when there was one since the last call. One waiter. Errc::canceled when it is cancelled.
  boost::asio::awaitable<Status> changed();

 private:
  struct Impl;
  explicit FileWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
