#include "proto/nodes_mark.hpp"

#include <string_view>

namespace slipway::proto {

namespace {

constexpr std::uint64_t k_fnv_basis = 0xcbf29ce484222325U;
constexpr std::uint64_t k_fnv_prime = 0x100000001b3U;

class Fnv {
 public:
  void line(std::string_view text) {
    for (const char c : text) byte(static_cast<unsigned char>(c));
    byte('\n');
  }
  std::uint64_t finished() const {
    std::uint64_t value = value_;
    value = (value ^ value >> 33) * 0xff51afd7ed558ccdU;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53U;
    return value ^ value >> 33;
  }

 private:
  void byte(unsigned char c) { value_ = (value_ ^ c) * k_fnv_prime; }
  std::uint64_t value_ = k_fnv_basis;
};

}  // namespace

std::uint64_t part_of(const PeerNode& node) {
  Fnv fnv;
  fnv.line(node.name);
  fnv.line(node.uid);
  fnv.line(std::to_string(node.generation));
  fnv.line(node.role);
  fnv.line(node.address);
  fnv.line(node.pod_cidr);
  fnv.line(node.renew_before.value_or(""));
  fnv.line(node.second_pod_cidr.value_or(""));
  fnv.line("");
  return fnv.finished();
}

void NodesMark::put(const PeerNode& node) {
  ++count;
  sum += part_of(node);
}

void NodesMark::take(const PeerNode& node) {
  --count;
  sum -= part_of(node);
}

std::string NodesMark::hash() const {
  static constexpr char k_digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += k_digits[sum >> shift & 15];
  return text;
}

NodesMark mark_of(const std::vector<PeerNode>& nodes) {
  NodesMark mark;
  for (const PeerNode& node : nodes) mark.put(node);
  return mark;
}

}  // namespace slipway::proto
