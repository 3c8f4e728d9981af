#pragma once
// The chain of audit records, apart from files: sealing, opening, checking. Pure but for SHA-256.
#include <cstddef>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "coordinator/domain/audit.hpp"

namespace slipway {

// Numbers the record behind `head`, hashes it and moves `head` to it. The line with its newline.
std::string seal_record(proto::AuditRecord record, AuditHead& head);

// The record of a line without its newline. Errc::corrupt: it is none, or its hash is not that of the line.
Result<proto::AuditRecord> open_record(std::string_view line);

// Whether the query asks for this record (`before` and `limit` aside).
struct AuditQuery;
bool matches(const AuditQuery& query, const proto::AuditRecord& record);

// Takes the lines in the order of the files and names what is wrong with them.
class ChainCheck {
 public:
  explicit ChainCheck(AuditHead anchor) : anchor_(std::move(anchor)) {}
  // `where`: "audit-…1.jsonl line 12", for people.
  void line(const std::string& where, std::string_view text);
  // Call once, after the last line.
  proto::AuditVerdict finish();

 private:
  void check_place(const std::string& where, const proto::AuditRecord& record);
  void problem(std::string text);

  AuditHead anchor_;
  proto::AuditVerdict verdict_;
  std::uint64_t expected_ = 1;
  std::string previous_ = AuditHead{}.hash;  // empty: not known, the record before could not be read
  std::size_t problems_ = 0;
};

}  // namespace slipway
