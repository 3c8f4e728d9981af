#pragma once
// Port: an ordered key-value store with atomic, durable, fenced batches. Every call blocks: on a worker, never on an event
// thread. Thread safe.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct KeyValue {
  std::string key;
  std::string value;  // any bytes
  bool operator==(const KeyValue&) const = default;
};

// Erases go first, then puts; a key stands at most once in all.
struct Batch {
  std::vector<KeyValue> puts;
  std::vector<std::string> erases;  // a key that is not there is no error
  bool empty() const { return puts.empty() && erases.empty(); }
};

class Store {
 public:
  virtual ~Store() = default;
  // All pairs whose key starts with `prefix`, by key in byte order. Sees what this store committed.
  virtual Result<std::vector<KeyValue>> load(std::string_view prefix) = 0;
  // As load(), but one pair at a time, the views valid during the call; ends with the sink's first error. A commit waits meanwhile.
  using PairSink = std::function<Status(std::string_view key, std::string_view value)>;
  virtual Status scan(std::string_view prefix, const PairSink& sink) {
    const auto pairs = load(prefix);
    if (!pairs) return pairs.error();
    for (const KeyValue& pair : *pairs) {
      if (const Status taken = sink(pair.key, pair.value); !taken) return taken;
    }
    return {};
  }
  virtual Result<std::optional<std::string>> read(std::string_view key) = 0;
  // All of it or nothing, on disk when it returns. Errc::conflict: another owner has opened the store since (the fence), and
  // nothing was written. Any other error: what is on disk is unknown, the process must end and read it again.
  virtual Status commit(const Batch& batch) = 0;
};

}  // namespace slipway
