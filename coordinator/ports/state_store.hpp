#pragma once
// Port: the state's records in a store, in the coordinator's words. Every call blocks: on a worker. Thread safe.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "coordinator/domain/audit.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

// Where the store is and what room it has.
struct StoreSpace {
  std::string place;  // a file, for people
  std::uint64_t size = 0;
  std::uint64_t free = 0;  // bytes that we may still write on its file system
  bool writable = false;   // it may be written to; whether the disk takes it a commit tells
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual Result<State> load() = 0;
  // In order; one atomic durable batch. Errors as Store::commit().
  virtual Status commit(const std::vector<Change>& changes) = 0;
  // As above, and in the same batch the end of the audit log that already holds what these changes are about.
  virtual Status commit_audited(const std::vector<Change>& changes, const AuditHead& head) = 0;
  // The end of the audit log as it was committed last; seq 0 when there never was one.
  virtual Result<AuditHead> audit_head() = 0;
  // Errc::not_found when there is none with this serial.
  virtual Result<std::string> certificate_pem(const std::string& serial) = 0;
};

}  // namespace slipway
