#pragma once
// The effective user for the time of a block: files that root's commands write stay their owner's.
#include <memory>
#include <string>

#include "common/core/result.hpp"

namespace slipway {

// Of the process: for commands with one thread.
class ActAsOwner {
 public:
  // Acts as the owner of `path` until it ends; does nothing when the caller is not root or root owns it.
  static Result<std::unique_ptr<ActAsOwner>> of(const std::string& path);
  ActAsOwner(const ActAsOwner&) = delete;
  ActAsOwner& operator=(const ActAsOwner&) = delete;
  ~ActAsOwner();

 private:
  ActAsOwner() = default;
  bool changed_ = false;
};

}  // namespace slipway
