#pragma once
// Port: the append-only, hash-chained audit log. Every call blocks: on a worker. Thread safe.
#include <cstddef>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "coordinator/domain/audit.hpp"

namespace slipway {

struct AuditQuery {
  std::uint64_t before = 0;  // only records with a smaller seq; 0: from the newest
  std::size_t limit = 100;
  std::string node;         // each empty: any
  std::string action;       // "node.join"; "node." takes all that begin so
  std::string certificate;  // SHA-256, serial or public key hash of one of its certificates
};

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  // Numbers and chains the records in their order and returns the new end when they are on disk; all or,
  // after a crash, the first few. After an error nothing can be appended any more: the process must end and
  // open the log again.
  virtual Result<AuditHead> append(std::vector<proto::AuditRecord> records) = 0;
  virtual AuditHead head() = 0;
  // Durable records only, newest first. `next` is set when there may be more, also on a page that found
  // little.
  virtual Result<proto::AuditList> list(const AuditQuery& query) = 0;
  // Reads everything. `anchor`: what the store says was written last; must have been read from it before the
  // call.
  virtual Result<proto::AuditVerdict> verify(const AuditHead& anchor) = 0;
};

}  // namespace slipway
