#pragma once
// What tests of the pod lab look at again and again: whether all pods reach each other, and what one pass
// mends.
#include <string>
#include <vector>

#include "tests/support/pod_lab.hpp"

namespace slipway::test {

using Lines = std::vector<std::string>;

inline constexpr std::size_t k_v4_echo = 28;  // IP and ICMP headers
inline constexpr std::size_t k_v6_echo = 48;

// Says so.
bool no_root();
NetworkDesired backend(NetworkBackend kind, bool cross_subnet = false);

// Nothing is planned anywhere, and packets of `bytes` go between all pods.
void check_whole(PodLab& lab, std::size_t bytes);
// What there must be with `direct` and `tunnel` blocks of peers, both own blackholes, and link hops of the
// node itself.
std::string marks(long direct, long tunnel, long ends, long hops = 0);

// Whether there is news now. Waits for no more than what has come.
bool has_news(PodLab& lab, Network& network);

struct Harm {
  const char* what;
  std::vector<std::string> commands;
  bool told = true;  // an event says so
};
// To the first node: an event tells of it, one pass mends all, and no marked object is left over.
void suffer(PodLab& lab, const Harm& harm);

}  // namespace slipway::test
