#pragma once
// Tells that links or addresses have changed.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "common/core/result.hpp"

namespace slipway::net {

// Listens from open() on. On `executor`'s thread only; must outlive its waiters.
class ChangeWatch {
 public:
  static Result<ChangeWatch> open(boost::asio::any_io_executor executor);
  ~ChangeWatch();
  ChangeWatch(ChangeWatch&&) noexcept;
  ChangeWatch& operator=(ChangeWatch&&) noexcept;

  // Resumes at the next change, at once when there was one since the last call. Pods coming and going on a
  // bridge are none.
  boost::asio::awaitable<Status> changed();

 private:
  struct Impl;
  explicit ChangeWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::net
