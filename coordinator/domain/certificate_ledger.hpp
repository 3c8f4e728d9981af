#pragma once
// All certificates that were issued and not yet forgotten, by serial. A cluster of 50,000 nodes has a million: bytes in place of hex
// text, each holder's texts once (certificate_holders.hpp), 112 bytes a certificate. A value, pure; used on the state thread.
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/domain/certificate_holders.hpp"
#include "coordinator/domain/packed_hex.hpp"

namespace slipway {

// One issued certificate; its PEM is in the store under its serial, not in memory.
struct CertificateRecord {
  std::string serial;  // lower-case hex of 1 to 20 bytes, the key
  CertUsage usage = CertUsage::agent;
  std::string subject;   // node name, user or component: for people
  std::string node_uid;  // empty: not a node's
  std::uint64_t generation = 0;
  WallTime not_before{};
  WallTime not_after{};
  std::string sha256;       // lower-case hex, of the DER
  std::string spki_sha256;  // lower-case hex, of the public key
  std::uint64_t ca = 1;     // number of the CA that signed it, see ca_rotation.hpp
  bool operator==(const CertificateRecord&) const = default;
};

// The same in bytes. It views into what it was taken from: a ledger, until that changes, or PackedCertificate, or stored bytes.
struct CompactCertificate {
  std::string_view serial;  // 1 to 20 bytes, big endian
  CertUsage usage = CertUsage::agent;
  std::string_view subject;
  std::string_view node_uid;
  std::uint64_t generation = 0;
  WallTime not_before{};
  WallTime not_after{};
  std::string_view sha256;  // 32 bytes
  std::string_view spki_sha256;
  std::uint64_t ca = 1;

  std::string serial_hex() const;
  CertificateRecord record() const;
  bool operator==(const CompactCertificate&) const = default;  // by content
};

inline constexpr std::size_t k_digest_bytes = 32;

// The bytes behind a record's hex texts.
class PackedCertificate {
 public:
  // Errc::invalid names the field that is not lower-case hex of its length.
  static Result<PackedCertificate> of(const CertificateRecord& record);
  // Views into this and into `record`, the one that it was made of.
  CompactCertificate view(const CertificateRecord& record) const;

 private:
  explicit PackedCertificate(std::string_view serial_hex) : serial_(serial_hex) {}
  PackedSerial serial_;
  std::array<char, k_digest_bytes> sha256_{};
  std::array<char, k_digest_bytes> spki_sha256_{};
};

template <std::size_t size> std::string_view view_of(const std::array<char, size>& bytes) { return {bytes.data(), size}; }

class CertificateLedger {
 private:
  struct Entry;

 public:
  // Puts it in, or in the place of the one with this serial. Cheap at the end of the order, where the store's and new ones belong.
  // Errc::invalid: a serial or digest of the wrong size, nothing is changed.
  Status put(const CompactCertificate& certificate);
  Status put(const CertificateRecord& record);
  // A serial that is not there is no error.
  void erase(std::string_view serial_hex);

  // The view is valid until the ledger changes.
  std::optional<CompactCertificate> find(const PackedSerial& serial) const;
  std::optional<CompactCertificate> find(std::string_view serial_hex) const { return find(PackedSerial(serial_hex)); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t holders() const { return holders_.size(); }  // different ones

  // By serial, as bytes: the order of the hex texts as well. Ends its validity with any change.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = CompactCertificate;
    using difference_type = std::ptrdiff_t;
    using pointer = const CompactCertificate*;
    using reference = CompactCertificate;

    CompactCertificate operator*() const { return ledger_->view(ledger_->chunks_[chunk_][index_]); }
    Iterator& operator++() {
      if (++index_ == ledger_->chunks_[chunk_].size()) ++chunk_, index_ = 0;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    friend class CertificateLedger;
    Iterator(const CertificateLedger* ledger, std::size_t chunk) : ledger_(ledger), chunk_(chunk) {}
    const CertificateLedger* ledger_;
    std::size_t chunk_;
    std::size_t index_ = 0;
  };
  Iterator begin() const { return Iterator(this, 0); }
  Iterator end() const { return Iterator(this, chunks_.size()); }

  bool operator==(const CertificateLedger& other) const;  // by content

 private:
  struct Entry {
    std::int64_t not_before = 0, not_after = 0;  // seconds since 1970
    std::uint32_t holder = 0;
    std::uint8_t usage = 0;
    std::uint8_t serial_size = 0;
    std::array<char, 20> serial{};  // zeros behind its end
    std::array<char, k_digest_bytes> sha256{}, spki_sha256{};
  };
  static_assert(sizeof(Entry) <= 112);
  using Chunk = std::vector<Entry>;  // never empty, at most k_chunk
  static constexpr std::size_t k_chunk = 256;
  struct Place {
    std::size_t chunk = 0, index = 0;
    bool found = false;
  };

  static int compare(const Entry& entry, std::string_view serial);
  // Here, so that a loop over all reads of an entry and its holder only what it asks for: they lie far apart.
  CompactCertificate view(const Entry& entry) const {
    const CertificateHolder holder = holders_.at(entry.holder);
    return {{entry.serial.data(), entry.serial_size},
            static_cast<CertUsage>(entry.usage),
            holder.subject,
            holder.node_uid,
            holder.generation,
            WallTime(Seconds(entry.not_before)),
            WallTime(Seconds(entry.not_after)),
            view_of(entry.sha256),
            view_of(entry.spki_sha256),
            holder.ca};
  }
  Place place_of(std::string_view serial) const;
  Entry make(const CompactCertificate& certificate);
  void insert(Place place, const Entry& entry);
  void merge(std::size_t chunk);

  std::vector<Chunk> chunks_;
  CertificateHolders holders_;
  std::size_t size_ = 0;
};

}  // namespace slipway
