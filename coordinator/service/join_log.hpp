#pragma once
// What became of joins, for operators: the last ones, each attempt that is repeated as one entry. State thread only.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "proto/join_types.hpp"

namespace slipway {

// Which of them, and from where on.
struct JoinQuery {
  std::uint64_t before = 0;  // place that a page has told as next; 0: from the newest on
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  std::string node;               // empty: any
  std::optional<bool> accepted;   // absent: both
  std::string stage;              // empty: any
};

class JoinLog {
 public:
  // `refused_per_host`: entries of refusals from one address, so that who tries ever new names does not push the others out.
  explicit JoinLog(std::size_t capacity = 1000, std::size_t refused_per_host = 100)
      : capacity_(capacity), refused_per_host_(refused_per_host) {}

  // The same name, address, token, stage and reason as before: counted there, with the time of this one. What was noted longest
  // ago is forgotten first.
  void note(proto::JoinAttempt attempt);
  // Newest first. An attempt that is repeated meanwhile moves to the front: no page shows one twice.
  proto::JoinAttemptList list(const JoinQuery& query = {}) const;
  // Another one means that something was noted since.
  std::uint64_t last_place() const { return last_place_; }

 private:
  struct Entry {
    std::uint64_t place = 0;  // rises with each note
    proto::JoinAttempt attempt;
  };
  using Entries = std::list<Entry>;
  void forget(Entries::iterator entry);
  void forget_oldest_refusal_of(const std::string& address);

  std::size_t capacity_;
  std::size_t refused_per_host_;
  Entries entries_;
  std::uint64_t last_place_ = 0;
  std::map<std::string, Entries::iterator> by_key_;
  std::map<std::string, std::size_t> refused_of_;  // entries by address; none is 0
};

}  // namespace slipway
