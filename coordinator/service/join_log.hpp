#pragma once
// What became of joins, for operators: the last ones, each attempt that is repeated as one entry. State thread only.
#include <cstddef>
#include <list>
#include <map>
#include <string>

#include "proto/types.hpp"

namespace slipway {

class JoinLog {
 public:
  explicit JoinLog(std::size_t capacity = 1000) : capacity_(capacity) {}

  // The same name, address, token, stage and reason as before: counted there, with the time of this one. What was noted longest
  // ago is forgotten first.
  void note(proto::JoinAttempt attempt);
  proto::JoinAttemptList list() const;  // newest first

 private:
  using Entries = std::list<proto::JoinAttempt>;
  std::size_t capacity_;
  Entries entries_;
  std::map<std::string, Entries::iterator> by_key_;
};

}  // namespace slipway
