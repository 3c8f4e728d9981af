#pragma once
// The state's records as keys and values. Values are JSON by field lists (records.cpp), so that a store can be read
// with plain tools; only certificates, of which there are a million, are bytes (certificate_codec.hpp). Keys, in byte order:
//
//   a/head                  end of the audit log: seq and hash; absent: nothing was audited yet
//   p/<serial>              certificate text, PEM as it is; never read at start
//   s/artifact-manifest     the signed list of what agents may install; absent: there is none
//   s/artifact/<component>/<version>
//   s/ca/<kind>             which CA signs, which one comes or goes; absent: the one of init, not looked at yet
//   s/certificate/<serial>  whose, of which key, from when to when; JSON in what was written by layout 1
//   s/cluster/identity      id, epoch, creation
//   s/cluster/spec          the operator's cluster specification
//   s/counters              revision, desired revision, the time that the clock was at for certain
//   s/hold/<address>/<length>  blocks that are reserved or kept for a node
//   s/node/<name>           with its pod blocks: the only place that says who has which
//   s/pending/<name>        a host that waits for an operator's word, or got it
//   s/pool/<name>           pools of pod addresses; without one named default the settings describe it (stores of before pools)
//   s/pool-history/<name>   how full a pool was lately
//   s/quarantine/<address>/<length>
//   s/token/<id>
//   s/revocation/<serial>   a person's certificate that was taken back, and when; its certificate record stands as before
//   s/tombstone/<name>
//   s/version               layout version of all of the above; a newer one is refused
//
// Version note: layout 1 is the first. Fields added later must be optional with the meaning of their absence noted there.
// Layout 2 has certificates as bytes. A store of layout 1 is read as it is: its records stay until they are written again or swept,
// and the first commit of all makes it layout 2, so that a coordinator that knows only 1 refuses it from then on.
#include <atomic>
#include <string>
#include <vector>

#include "coordinator/ports/state_store.hpp"
#include "coordinator/ports/store.hpp"

namespace slipway {

inline constexpr std::uint64_t k_layout_version = 2;

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
  Status commit_audited(const std::vector<Change>& changes, const AuditHead& head) override;
  Result<AuditHead> audit_head() override;
  Result<std::string> certificate_pem(const std::string& serial) override;

 private:
  Status commit_batch(Batch batch);
  Store& store_;
  std::atomic<bool> version_written_ = false;  // ours
};

}  // namespace slipway
