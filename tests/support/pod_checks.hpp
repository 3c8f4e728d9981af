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
// By the CNI plugins where they are installed; says so where they are not.
LabPods usual_pods();

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
  bool by_cure = false;  // no pass mends it: the commands of its finding do, as an operator would give them
};
// What any backend suffers: others' rules and a packet filter that is emptied. The last one empties all of it.
std::vector<Harm> filter_harms();
// To the first node, while pods talk: an event tells of it, one pass mends all, and no marked object is left over.
// What was lost is printed; nothing may be between pods of other nodes.
void suffer(PodLab& lab, const Harm& harm);

}  // namespace slipway::test
