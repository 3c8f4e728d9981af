#include "coordinator/domain/certificate_holders.hpp"

#include <functional>

namespace slipway {

namespace {

constexpr std::size_t k_first_slots = 16;

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
  if (!slots_.empty()) {
    for (std::size_t slot = hash & (slots_.size() - 1); slots_[slot].number != 0; slot = next(slot)) {
      if (slots_[slot].hash != hash) continue;
      Entry& entry = entries_[slots_[slot].number - 1];
      if (view(entry) != holder) continue;
      ++entry.uses;
      return slots_[slot].number - 1;
    }
  }
  return add(holder, hash);
}

std::uint32_t CertificateHolders::add(const CertificateHolder& holder, std::uint32_t hash) {
  Entry entry;
  entry.texts.reserve(holder.subject.size() + holder.node_uid.size());
  entry.texts.append(holder.subject).append(holder.node_uid);
  entry.generation = holder.generation;
  entry.ca = holder.ca;
  entry.subject_size = static_cast<std::uint32_t>(holder.subject.size());
  entry.hash = hash;
  entry.uses = 1;
  // Half full at most, so that a search meets an empty slot soon.
  if ((size_ + 1) * 2 > slots_.size()) grow();
  std::uint32_t number = static_cast<std::uint32_t>(entries_.size());
  if (free_.empty()) {
    entries_.push_back(std::move(entry));
  } else {
    number = free_.back();
    free_.pop_back();
    entries_[number] = std::move(entry);
  }
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].number != 0) slot = next(slot);
  slots_[slot] = {hash, number + 1};
  ++size_;
  return number;
}

void CertificateHolders::grow() {
  std::vector<Slot> old(slots_.empty() ? k_first_slots : slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& taken : old) {
    if (taken.number == 0) continue;
    std::size_t slot = taken.hash & (slots_.size() - 1);
    while (slots_[slot].number != 0) slot = next(slot);
    slots_[slot] = taken;
  }
}

std::size_t CertificateHolders::slot_of(std::uint32_t number) const {
  std::size_t slot = entries_[number].hash & (slots_.size() - 1);
  while (slots_[slot].number != number + 1) slot = next(slot);
  return slot;
}

void CertificateHolders::drop(std::uint32_t number) {
  if (--entries_[number].uses > 0) return;
  // What stands behind the gap and is looked for from before it moves up (Knuth, volume 3, 6.4, algorithm R).
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = slot_of(number);
  for (std::size_t slot = next(gap); slots_[slot].number != 0; slot = next(slot)) {
    const std::size_t home = slots_[slot].hash & mask;
    if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
    slots_[gap] = slots_[slot];
    gap = slot;
  }
  slots_[gap] = {};
  entries_[number] = Entry();
  free_.push_back(number);
  --size_;
}

}  // namespace slipway
