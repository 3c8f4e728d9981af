#pragma once
// What operations are in the audit log. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/domain/operations.hpp"
#include "proto/audit.hpp"

namespace slipway {

// The end of the audit log, as the store keeps it: a log that ends before it was cut.
struct AuditHead {
  std::uint64_t seq = 0;  // 0: no record yet
  std::string hash = std::string(64, '0');
  bool operator==(const AuditHead&) const = default;
};

// "node.join", "token.create"; "change" for an operation that nobody has named yet, which a test forbids.
std::string_view audit_action(const Operation& operation);

// The record of a successful operation, without time, number and hashes. Absent when nothing changed, and for housekeeping:
// what ends by itself was decided when it was made.
std::optional<proto::AuditRecord> audit_record(const Operation& operation, const Outcome& outcome, proto::AuditActor actor);

}  // namespace slipway
