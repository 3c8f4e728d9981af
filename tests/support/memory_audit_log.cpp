#include "tests/support/memory_audit_log.hpp"

#include <utility>

#include "coordinator/store/audit_chain.hpp"

namespace slipway::test {

MemoryAuditLog::MemoryAuditLog(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}

Result<AuditHead> MemoryAuditLog::append(std::vector<proto::AuditRecord> records) {
  const std::lock_guard lock(disk_->mutex);
  if (failed_) return make_error(Errc::internal, "the audit log has failed before");
  if (records.empty()) return disk_->head;
  failed_ = disk_->appends >= disk_->fail_after;
  if (failed_) return make_error(Errc::internal, "writing the audit log: planted failure");
  ++disk_->appends;
  for (proto::AuditRecord& record : records) {
    std::string line = seal_record(std::move(record), disk_->head);
    line.pop_back();
    disk_->lines.push_back(std::move(line));
  }
  return disk_->head;
}

AuditHead MemoryAuditLog::head() {
  const std::lock_guard lock(disk_->mutex);
  return disk_->head;
}

Result<proto::AuditList> MemoryAuditLog::list(const AuditQuery& query) {
  const std::lock_guard lock(disk_->mutex);
  proto::AuditList list;
  for (auto line = disk_->lines.rbegin(); line != disk_->lines.rend(); ++line) {
    auto record = open_record(*line);
    if (!record) return record.error();
    if ((query.before != 0 && record->seq >= query.before) || !matches(query, *record)) continue;
    list.items.push_back(std::move(*record));
    if (list.items.size() < query.limit) continue;
    if (list.items.back().seq > 1) list.next = std::to_string(list.items.back().seq);
    break;
  }
  return list;
}

Result<proto::AuditVerdict> MemoryAuditLog::verify(const AuditHead& anchor) {
  const std::lock_guard lock(disk_->mutex);
  ChainCheck check(anchor);
  std::size_t number = 0;
  for (const std::string& line : disk_->lines) check.line("line " + std::to_string(++number), line);
  return check.finish();
}

}  // namespace slipway::test
