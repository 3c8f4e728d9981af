#pragma once
// What `slipwayctl upgrade plan` and `upgrade status` print with -o json: coded by the same lists as the API's types, but no
// part of its contract.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

struct UpgradeComponent {
  std::string name;
  std::string running;  // as its agent says
  std::string target;   // the same: it does not restart
};
struct UpgradeNode {
  std::string name;
  std::string role;
  std::uint64_t turn = 0;  // nodes of a smaller one come first; 0: nothing restarts there
  std::vector<UpgradeComponent> components;
  std::string note;  // why nothing is known of it
};
struct MissingArtifact {
  std::string component;
  std::string version;
  std::string cure;
};
struct UpgradeRefusal {
  std::string reason;
  std::string cure;
};
struct UpgradePlanReport {
  std::string version;  // of Kubernetes, that is wanted now
  std::string target;
  bool paused = false;
  std::uint64_t max_unavailable = 1;
  std::vector<UpgradeNode> nodes;
  std::vector<MissingArtifact> missing;
  std::vector<UpgradeRefusal> refusals;
  std::vector<std::string> notes;     // what stands in nobody's way
  std::vector<std::string> imported;  // newer versions in the coordinator's store that may be next
};
struct UpgradeStatusNode {
  std::string name;
  std::string role;
  std::string state;       // done, waiting, restarting, failed, silent
  std::string kubelet;     // version; empty: not told
  std::string api_server;  // of a master
  std::string reason;
};
struct UpgradeStatusReport {
  std::string version;  // of Kubernetes, that is wanted
  bool paused = false;
  std::uint64_t max_unavailable = 1;
  std::uint64_t done = 0;
  std::uint64_t waiting = 0;
  std::uint64_t restarting = 0;
  std::uint64_t failed = 0;
  std::uint64_t silent = 0;  // not heard for ten minutes, or not since the coordinator's start
  std::vector<UpgradeStatusNode> nodes;
};

}  // namespace slipway::proto
