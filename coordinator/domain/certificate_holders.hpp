#pragma once
// Whose certificates are: each holder's texts stand once, however many certificates the holder has. Numbers go round: one that
// nobody uses any more is given out again. A value; no thread of its own.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace slipway {

// Views are valid until the next take() or drop().
struct CertificateHolder {
  std::string_view subject;   // node name, user or component
  std::string_view node_uid;  // empty: not a node's
  std::uint64_t generation = 0;
  std::uint64_t ca = 1;  // that signed
  bool operator==(const CertificateHolder&) const = default;
};

class CertificateHolders {
 public:
  // The holder's number, with one use more. `holder` may view into this.
  std::uint32_t take(const CertificateHolder& holder);
  // One use less; at none the number is free.
  void drop(std::uint32_t number);
  CertificateHolder at(std::uint32_t number) const { return view(entries_[number]); }
  std::size_t size() const { return by_hash_.size(); }  // that are in use

 private:
  struct Entry {
    std::string texts;  // subject, then uid: one allocation
    std::uint64_t generation = 0;
    std::uint64_t ca = 0;
    std::uint32_t subject_size = 0;
    std::uint32_t uses = 0;
  };
  static CertificateHolder view(const Entry& entry) {
    const std::string_view texts = entry.texts;
    return {texts.substr(0, entry.subject_size), texts.substr(entry.subject_size), entry.generation, entry.ca};
  }
  std::uint32_t find_or_add(const CertificateHolder& holder);
  std::uint32_t add(const CertificateHolder& holder);

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::unordered_multimap<std::uint32_t, std::uint32_t> by_hash_;  // numbers; the texts stand in entries_ only
  std::uint32_t last_ = 0;                                         // that take() gave
};

}  // namespace slipway
