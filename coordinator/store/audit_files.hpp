#pragma once
// The audit log as files of JSON lines, one record a line:
//
//   <dir>/                                    0700
//   <dir>/audit-<seq of its first record, 20 digits>.jsonl   0600, written only at its end; the last one
//   grows
//
// A file that has grown to its limit is left and the next one goes on with the chain. Nothing is ever deleted
// here.
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/core/time.hpp"
#include "common/core/unique_fd.hpp"
#include "coordinator/ports/audit_log.hpp"

namespace slipway {

struct AuditFilesOptions {
  std::string dir;
  std::size_t max_file_bytes = std::size_t{16} * 1024 * 1024;
};

class AuditFiles final : public AuditLog {
 public:
  // Finds the end of the log. An unfinished end behind `anchor` (a crash) is cut off, and a record says so. A
  // log that lacks what the store knows, or holds something else there, is left as it is and continued in a
  // new file behind the anchor, with a record of it: verify() will go on naming what is missing. damage()
  // tells. `now` is for these records.
  static Result<std::unique_ptr<AuditFiles>> open(AuditFilesOptions options, const AuditHead& anchor,
                                                  WallTime now);

  Result<AuditHead> append(std::vector<proto::AuditRecord> records) override;
  AuditHead head() override;
  Result<proto::AuditList> list(const AuditQuery& query) override;
  Result<proto::AuditVerdict> verify(const AuditHead& anchor) override;

  // What open() found wrong, for people; empty: nothing.
  const std::string& damage() const { return damage_; }

 private:
  explicit AuditFiles(AuditFilesOptions options) : options_(std::move(options)) {}
  Status recover(const AuditHead& anchor, WallTime now);
  Status cut(const std::string& name, std::size_t size);
  Status continue_file(const std::string& name);
  Status start_file();
  Status write(const std::string& text);

  const AuditFilesOptions options_;
  std::string damage_;
  std::mutex mutex_;  // of all below
  AuditHead head_;
  UniqueFd file_;  // none: the next append starts one
  std::size_t size_ = 0;
  bool failed_ = false;
};

// Also for copies: nothing but reading. A last line without its end in the last file is being written and not
// looked at.
Result<proto::AuditVerdict> verify_audit_files(const std::string& dir, const AuditHead& anchor);

}  // namespace slipway
