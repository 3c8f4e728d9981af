#pragma once
// An AuditLog in memory that passes the audit contract. Several logs may share one Disk; appends can be made
// to fail.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "coordinator/ports/audit_log.hpp"

namespace slipway::test {

class MemoryAuditLog final : public AuditLog {
 public:
  struct Disk {
    std::mutex mutex;
    std::vector<std::string> lines;
    AuditHead head;
    std::size_t appends = 0;
    std::size_t fail_after = SIZE_MAX;  // appends that still succeed
  };
  explicit MemoryAuditLog(std::shared_ptr<Disk> disk = std::make_shared<Disk>());
  const std::shared_ptr<Disk>& disk() const { return disk_; }

  Result<AuditHead> append(std::vector<proto::AuditRecord> records) override;
  AuditHead head() override;
  Result<proto::AuditList> list(const AuditQuery& query) override;
  Result<proto::AuditVerdict> verify(const AuditHead& anchor) override;

 private:
  std::shared_ptr<Disk> disk_;
  bool failed_ = false;
};

}  // namespace slipway::test
