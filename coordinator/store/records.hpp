#pragma once
// The state's records as keys and values. Values are JSON by field lists (records.cpp), so that a store can be read
// with plain tools. Keys, in byte order:
//
//   p/<serial>              certificate text, PEM as it is; never read at start
//   s/artifact/<component>/<version>
//   s/ca/<kind>             which CA signs, which one comes or goes; absent: the one of init, not looked at yet
//   s/certificate/<serial>
//   s/cluster/identity      id, epoch, creation
//   s/cluster/spec          the operator's cluster specification
//   s/counters              revision, desired revision
//   s/node/<name>           with its pod block: the only place that says who has which
//   s/quarantine/<address>/<length>
//   s/token/<id>
//   s/tombstone/<name>
//   s/version               layout version of all of the above; a newer one is refused
//
// Version note: layout 1 is the first. Fields added later must be optional with the meaning of their absence noted there.
#include <atomic>
#include <string>
#include <vector>

#include "coordinator/ports/state_store.hpp"
#include "coordinator/ports/store.hpp"

namespace slipway {

inline constexpr std::uint64_t k_layout_version = 1;

std::string store_key(RecordKind kind, const std::string& key);
KeyValue encode_record(const Record& record);
// Errc::corrupt names the key.
Result<Record> decode_record(const KeyValue& pair);

// Later changes of a key override earlier ones.
Batch to_batch(const std::vector<Change>& changes);

class RecordStore final : public StateStore {
 public:
  explicit RecordStore(Store& store) : store_(store) {}
  Result<State> load() override;
  Status commit(const std::vector<Change>& changes) override;
  Result<std::string> certificate_pem(const std::string& serial) override;

 private:
  Store& store_;
  std::atomic<bool> version_written_ = false;
};

}  // namespace slipway
