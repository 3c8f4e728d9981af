#include "coordinator/domain/certificate_ledger.hpp"

#include <algorithm>
#include <cstring>

#include "common/core/text.hpp"

namespace slipway {

namespace {

Error not_hex(const CertificateRecord& record, const std::string& field) {
  return make_error(Errc::invalid, "certificate " + record.serial.substr(0, 64) + ": " + field);
}

}  // namespace

std::string CompactCertificate::serial_hex() const { return to_hex(serial); }

CertificateRecord CompactCertificate::record() const {
  return {to_hex(serial), usage,     std::string(subject), std::string(node_uid), generation,
          not_before,     not_after, to_hex(sha256),       to_hex(spki_sha256),   ca};
}

Result<PackedCertificate> PackedCertificate::of(const CertificateRecord& record) {
  PackedCertificate packed(record.serial);
  if (packed.serial_.empty()) return not_hex(record, "its serial is not lower-case hex of 1 to 20 bytes");
  if (!unhex_lower(record.sha256, packed.sha256_.data(), k_digest_bytes)) return not_hex(record, "its SHA-256 is not 64 lower-case hex digits");
  if (!unhex_lower(record.spki_sha256, packed.spki_sha256_.data(), k_digest_bytes)) {
    return not_hex(record, "the SHA-256 of its key is not 64 lower-case hex digits");
  }
  return packed;
}

CompactCertificate PackedCertificate::view(const CertificateRecord& record) const {
  return {serial_.bytes(),   record.usage,     record.subject,   record.node_uid,       record.generation,
          record.not_before, record.not_after, view_of(sha256_), view_of(spki_sha256_), record.ca};
}

// As the hex texts compare: zeros stand behind the end of the shorter one.
int CertificateLedger::compare(const Entry& entry, std::string_view serial) {
  const int order = std::memcmp(entry.serial.data(), serial.data(), serial.size());
  return order != 0 ? order : static_cast<int>(entry.serial_size) - static_cast<int>(serial.size());
}

CertificateLedger::Entry CertificateLedger::make(const CompactCertificate& certificate) {
  Entry entry;
  entry.not_before = certificate.not_before.time_since_epoch().count();
  entry.not_after = certificate.not_after.time_since_epoch().count();
  entry.holder = holders_.take({certificate.subject, certificate.node_uid, certificate.generation, certificate.ca});
  entry.usage = static_cast<std::uint8_t>(certificate.usage);
  entry.serial_size = static_cast<std::uint8_t>(certificate.serial.size());
  std::copy(certificate.serial.begin(), certificate.serial.end(), entry.serial.begin());
  std::copy(certificate.sha256.begin(), certificate.sha256.end(), entry.sha256.begin());
  std::copy(certificate.spki_sha256.begin(), certificate.spki_sha256.end(), entry.spki_sha256.begin());
  return entry;
}

// Where it stands, or the place of the first one behind it; behind the last one that is the end of the last chunk.
CertificateLedger::Place CertificateLedger::place_of(std::string_view serial) const {
  if (chunks_.empty()) return {};
  if (const int last = compare(chunks_.back().back(), serial); last < 0) return {chunks_.size() - 1, chunks_.back().size(), false};
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [serial](const Chunk& c) { return compare(c.back(), serial) < 0; });
  const auto entry = std::partition_point(chunk->begin(), chunk->end(), [serial](const Entry& e) { return compare(e, serial) < 0; });
  return {static_cast<std::size_t>(chunk - chunks_.begin()), static_cast<std::size_t>(entry - chunk->begin()), compare(*entry, serial) == 0};
}

Status CertificateLedger::put(const CompactCertificate& certificate) {
  const bool sizes_fit = !certificate.serial.empty() && certificate.serial.size() <= std::tuple_size_v<decltype(Entry::serial)> &&
                         certificate.sha256.size() == k_digest_bytes && certificate.spki_sha256.size() == k_digest_bytes;
  if (!sizes_fit) return make_error(Errc::invalid, "certificate " + to_hex(certificate.serial.substr(0, 32)) + ": serial or digest of a wrong size");
  const Place place = place_of(certificate.serial);
  // The new holder first: its texts may be the old one's.
  const Entry entry = make(certificate);
  if (!place.found) {
    insert(place, entry);
    return {};
  }
  Entry& old = chunks_[place.chunk][place.index];
  const std::uint32_t old_holder = old.holder;
  old = entry;
  holders_.drop(old_holder);
  return {};
}

Status CertificateLedger::put(const CertificateRecord& record) {
  const auto packed = PackedCertificate::of(record);
  return packed ? put(packed->view(record)) : Status(packed.error());
}

void CertificateLedger::insert(Place place, const Entry& entry) {
  ++size_;
  const bool at_end = chunks_.empty() || (place.chunk + 1 == chunks_.size() && place.index == chunks_.back().size());
  if (chunks_.empty() || (at_end && chunks_.back().size() == k_chunk)) {
    // Full chunks where all comes in order; a small ledger takes little.
    chunks_.emplace_back();
    if (chunks_.size() > 1) chunks_.back().reserve(k_chunk);
    chunks_.back().push_back(entry);
    return;
  }
  if (chunks_[place.chunk].size() == k_chunk) {
    constexpr std::size_t k_half = k_chunk / 2;
    Chunk upper;
    upper.reserve(k_chunk);
    Chunk& lower = chunks_[place.chunk];
    upper.assign(lower.begin() + k_half, lower.end());
    lower.resize(k_half);
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk) + 1, std::move(upper));
    if (place.index > k_half) place = {place.chunk + 1, place.index - k_half, false};
  }
  Chunk& chunk = chunks_[place.chunk];
  chunk.insert(chunk.begin() + static_cast<std::ptrdiff_t>(place.index), entry);
}

void CertificateLedger::erase(std::string_view serial_hex) {
  const PackedSerial serial(serial_hex);
  if (serial.empty()) return;
  const Place place = place_of(serial.bytes());
  if (!place.found) return;
  Chunk& chunk = chunks_[place.chunk];
  holders_.drop(chunk[place.index].holder);
  chunk.erase(chunk.begin() + static_cast<std::ptrdiff_t>(place.index));
  --size_;
  merge(place.chunk);
}

// Old certificates go and leave a few that count: small neighbours become one, of three quarters at most, so that the next one
// that comes does not part them again.
void CertificateLedger::merge(std::size_t chunk) {
  const auto at = [this](std::size_t index) { return chunks_.begin() + static_cast<std::ptrdiff_t>(index); };
  if (chunks_[chunk].empty()) {
    chunks_.erase(at(chunk));
    return;
  }
  if (chunks_[chunk].size() > k_chunk / 4) return;
  const std::size_t lower = chunk > 0 ? chunk - 1 : chunk;
  if (lower + 1 >= chunks_.size() || chunks_[lower].size() + chunks_[lower + 1].size() > k_chunk * 3 / 4) return;
  chunks_[lower].insert(chunks_[lower].end(), chunks_[lower + 1].begin(), chunks_[lower + 1].end());
  chunks_.erase(at(lower + 1));
}

std::optional<CompactCertificate> CertificateLedger::find(const PackedSerial& serial) const {
  if (serial.empty()) return std::nullopt;
  const Place place = place_of(serial.bytes());
  if (!place.found) return std::nullopt;
  return view(chunks_[place.chunk][place.index]);
}

bool CertificateLedger::operator==(const CertificateLedger& other) const {
  return size_ == other.size_ && std::equal(begin(), end(), other.begin(), other.end());
}

}  // namespace slipway
