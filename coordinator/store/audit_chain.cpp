#include "coordinator/store/audit_chain.hpp"

#include <algorithm>
#include <utility>

#include "common/crypto/digest.hpp"
#include "coordinator/ports/audit_log.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_problems = 50;
// Quotes inside of JSON text are escaped, so this can stand in a line only once: as the field itself.
constexpr std::string_view k_open = "\"hash\":\"";
constexpr std::string_view k_empty = "\"hash\":\"\"";

std::string range_text(std::uint64_t first, std::uint64_t last) {
  if (first == last) return "record " + std::to_string(first) + " is missing";
  return "records " + std::to_string(first) + " to " + std::to_string(last) + " are missing";
}

}  // namespace

std::string seal_record(proto::AuditRecord record, AuditHead& head) {
  record.seq = head.seq + 1;
  record.previous = head.hash;
  record.hash.clear();
  std::string line = proto::encode(record);
  head = {record.seq, sha256_hex(line)};
  line.insert(line.find(k_empty) + k_open.size(), head.hash);
  line.push_back('\n');
  return line;
}

Result<proto::AuditRecord> open_record(std::string_view line) {
  auto record = proto::decode<proto::AuditRecord>(line);
  if (!record) return make_error(Errc::corrupt, "is not an audit record: " + record.error().message);
  std::string bare(line);
  const auto at = bare.find(std::string(k_open) + record->hash + "\"");
  if (record->hash.size() != 64 || at == std::string::npos) return make_error(Errc::corrupt, "has no hash");
  bare.erase(at + k_open.size(), record->hash.size());
  if (sha256_hex(bare) != record->hash) {
    return make_error(Errc::corrupt, "was changed: it says it is record " + std::to_string(record->seq) +
                                         ", but its hash is not that of what it says");
  }
  return record;
}

bool matches(const AuditQuery& query, const proto::AuditRecord& record) {
  if (!query.node.empty() && query.node != record.node) return false;
  const bool group = query.action.ends_with('.');
  if (group ? !record.action.starts_with(query.action)
            : !query.action.empty() && query.action != record.action)
    return false;
  if (query.certificate.empty()) return true;
  const std::string& wanted = query.certificate;
  return std::any_of(record.certificates.begin(), record.certificates.end(),
                     [&wanted](const proto::AuditCertificate& c) {
                       return c.sha256 == wanted || c.serial == wanted || c.spki_sha256 == wanted;
                     });
}

void ChainCheck::problem(std::string text) {
  if (++problems_ <= k_max_problems) verdict_.problems.push_back(std::move(text));
}

void ChainCheck::line(const std::string& where, std::string_view text) {
  const auto record = open_record(text);
  if (!record) {
    problem(where + ", in the place of record " + std::to_string(expected_) + ", " + record.error().message);
    ++expected_;
    previous_.clear();
    return;
  }
  if (verdict_.records++ == 0) verdict_.first = record->seq;
  check_place(where, *record);
  if (record->seq == anchor_.seq && record->hash != anchor_.hash) {
    problem("record " + std::to_string(record->seq) + " (" + where +
            ") is not the one whose hash the store keeps: the log was written anew");
  }
}

void ChainCheck::check_place(const std::string& where, const proto::AuditRecord& record) {
  if (record.seq < expected_) {
    problem("record " + std::to_string(record.seq) + " (" + where + ") stands out of its order");
    return;
  }
  if (record.seq > expected_) {
    problem(range_text(expected_, record.seq - 1) + " before " + where);
  } else if (!previous_.empty() && record.previous != previous_) {
    problem("record " + std::to_string(record.seq) + " (" + where +
            ") does not follow the record before it: one of the two was replaced");
  }
  expected_ = record.seq + 1;
  previous_ = record.hash;
  verdict_.last = record.seq;
  verdict_.hash = record.hash;
}

proto::AuditVerdict ChainCheck::finish() {
  if (expected_ <= anchor_.seq) {
    problem(range_text(expected_, anchor_.seq) + " at the end: the store says that record " +
            std::to_string(anchor_.seq) + " was written");
  }
  if (problems_ > k_max_problems)
    verdict_.problems.push_back("and " + std::to_string(problems_ - k_max_problems) + " more");
  verdict_.ok = problems_ == 0;
  return std::move(verdict_);
}

}  // namespace slipway
