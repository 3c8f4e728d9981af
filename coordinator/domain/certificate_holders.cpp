#include "coordinator/domain/certificate_holders.hpp"

#include <functional>
#include <utility>

namespace slipway {

namespace {

std::uint32_t hash_of(const CertificateHolder& holder) {
  constexpr std::uint64_t k_mix = 0x9e3779b97f4a7c15U;
  const std::hash<std::string_view> hash;
  std::uint64_t mixed = hash(holder.subject);
  mixed = mixed * k_mix + hash(holder.node_uid);
  mixed = mixed * k_mix + holder.generation;
  mixed = mixed * k_mix + holder.ca;
  return static_cast<std::uint32_t>((mixed * k_mix) >> 32);
}

}  // namespace

std::uint32_t CertificateHolders::take(const CertificateHolder& holder) {
  // A node's certificates are issued together and come one after the other.
  if (last_ < entries_.size() && entries_[last_].uses > 0 && view(entries_[last_]) == holder) {
    ++entries_[last_].uses;
    return last_;
  }
  return last_ = find_or_add(holder);
}

std::uint32_t CertificateHolders::find_or_add(const CertificateHolder& holder) {
  const std::uint32_t hash = hash_of(holder);
  for (auto [place, end] = by_hash_.equal_range(hash); place != end; ++place) {
    Entry& entry = entries_[place->second];
    if (view(entry) != holder) continue;
    ++entry.uses;
    return place->second;
  }
  const std::uint32_t number = add(holder);
  by_hash_.emplace(hash, number);
  return number;
}

std::uint32_t CertificateHolders::add(const CertificateHolder& holder) {
  Entry entry;
  entry.texts.reserve(holder.subject.size() + holder.node_uid.size());
  entry.texts.append(holder.subject).append(holder.node_uid);
  entry.generation = holder.generation;
  entry.ca = holder.ca;
  entry.subject_size = static_cast<std::uint32_t>(holder.subject.size());
  entry.uses = 1;
  if (free_.empty()) {
    entries_.push_back(std::move(entry));
    return static_cast<std::uint32_t>(entries_.size() - 1);
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  entries_[number] = std::move(entry);
  return number;
}

void CertificateHolders::drop(std::uint32_t number) {
  Entry& entry = entries_[number];
  if (--entry.uses > 0) return;
  for (auto [place, end] = by_hash_.equal_range(hash_of(view(entry))); place != end; ++place) {
    if (place->second != number) continue;
    by_hash_.erase(place);
    break;
  }
  entry = Entry();
  free_.push_back(number);
}

}  // namespace slipway
