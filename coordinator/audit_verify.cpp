#include "common/core/text.hpp"
#include "common/files/dir_lock.hpp"
#include "coordinator/act_as_owner.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"
#include "coordinator/store/audit_files.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"

namespace slipway {

namespace {

Result<AuditHead> head_of(const std::string& text) {
  if (text.empty()) return AuditHead{};
  const auto parts = split(text, ':');
  const auto seq = parts.size() == 2 ? parse_u64(parts[0]) : std::nullopt;
  if (!seq || parts[1].size() != 64)
    return make_error(Errc::invalid, "--head must be SEQ:HASH, as slipwayctl audit verify prints them");
  return AuditHead{*seq, std::string(parts[1])};
}

// Opening the store takes it over: only while nobody else has it.
Result<AuditHead> stored_head(const std::string& data_dir) {
  const auto as_owner = ActAsOwner::of(data_dir);
  if (!as_owner) return as_owner.error();
  const auto lock = DirLock::acquire(data_dir);
  if (!lock)
    return error_of(
        lock,
        "the coordinator is running: ask it (slipwayctl audit verify), or copy the files and use --files");
  const auto sqlite = SqliteStore::open(state_file(data_dir), false);
  if (!sqlite) return sqlite.error();
  RecordStore store(**sqlite);
  return store.audit_head();
}

}  // namespace

Result<AuditReport> verify_audit(const AuditVerifyOptions& options) {
  const bool copy = !options.files.empty();
  const auto head = copy ? head_of(options.head) : stored_head(options.data_dir);
  if (!head) return head.error();
  const auto verdict = verify_audit_files(copy ? options.files : audit_dir(options.data_dir), *head);
  if (!verdict) return verdict.error();
  AuditReport report{verdict->ok, std::to_string(verdict->records) + " records, the last is " +
                                      std::to_string(verdict->last) + " with hash " + verdict->hash + "\n"};
  for (const std::string& problem : verdict->problems) report.text += "  " + problem + "\n";
  if (copy && options.head.empty()) report.text += "without --head a cut end is not noticed\n";
  report.text += verdict->ok ? "the audit log is whole\n" : "THE AUDIT LOG IS NOT WHOLE\n";
  return report;
}

}  // namespace slipway
