#pragma once
// Named tasks. spawn() is one of the two places where exceptions stop (the other is the HTTP dispatcher).
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "common/core/result.hpp"

namespace slipway {

// A set of tasks on one executor. Not thread safe: used on that executor's thread.
class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  ~TaskGroup();  // cancels what still runs
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task`. When it ends with an error, or throws, that is logged once with its name, the group remembers the first
  // failure and cancels all others. Errc::canceled is not a failure.
  void spawn(std::string name, boost::asio::awaitable<Status> task);
  // Requests cancellation (asio terminal) of all tasks.
  void cancel();
  // Resumes when all tasks have ended; the first failure or success.
  boost::asio::awaitable<Status> wait();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// A task without a group: a failure is logged with its name, nothing else happens (one connection, one request).
void spawn_detached(boost::asio::any_io_executor executor, std::string name, boost::asio::awaitable<Status> task);

}  // namespace slipway
