#pragma once
// What is done with nodes that live: emptied, given new certificates. Names on the wire and contract: as in fields.hpp.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

// A step of emptying a node; repeated until `done`.
struct DrainRequest {
  bool force = false;  // also a master, and pods that nothing makes anew
};
struct DrainPod {
  std::string name_space;
  std::string name;
  std::string state;   // ending: asked to go; blocked: a PodDisruptionBudget is in the way; kept: needs force; waiting: another round
  std::string reason;
};
struct DrainReport {
  std::string node;
  bool done = false;          // nothing is left but what stays
  std::uint64_t evicted = 0;  // pods that this step asked to go
  std::uint64_t staying = 0;  // pods of DaemonSets, and those that the kubelet itself runs
  std::vector<DrainPod> pods; // left, with the reason
};
struct RotateReply {
  std::uint64_t nodes = 0;
  std::string renew_before;
};

template <class V> void fields(V& v, DrainRequest& x) { v.optional("force", x.force); }
template <class V> void fields(V& v, DrainPod& x) {
  v("namespace", x.name_space); v("name", x.name); v("state", x.state); v("reason", x.reason);
}
template <class V> void fields(V& v, DrainReport& x) {
  v("node", x.node); v("done", x.done); v("evicted", x.evicted); v("staying", x.staying); v("pods", x.pods);
}
template <class V> void fields(V& v, RotateReply& x) { v("nodes", x.nodes); v("renewBefore", x.renew_before); }

}  // namespace slipway::proto
