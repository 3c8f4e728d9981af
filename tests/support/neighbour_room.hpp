#pragma once
// Room for many neighbours on this machine. The kernel counts those of all network namespaces together, and 60 nodes
// that all know each other are more than the 1,024 that it keeps by itself; on a host the agent sees to it.
#include <map>
#include <string>
#include <utility>

#include "tests/support/temp_dir.hpp"

namespace slipway::test {

// Raises the limits of both families while it lives; of the network namespace that the machine started with. Needs root.
class NeighbourRoom {
 public:
  explicit NeighbourRoom(int most) {
    for (const char* family : {"ipv4", "ipv6"})
      for (const auto& [name, limit] : {std::pair("gc_thresh3", most), std::pair("gc_thresh2", most / 2)}) {
        const std::string path = std::string("/proc/sys/net/") + family + "/neigh/default/" + name;
        const std::string now = get_file(path);
        if (now.empty() || std::stoi(now) >= limit) continue;
        former_[path] = now;
        put_file(path, std::to_string(limit) + "\n");
      }
  }
  ~NeighbourRoom() {
    for (const auto& [path, value] : former_) put_file(path, value);
  }
  NeighbourRoom(const NeighbourRoom&) = delete;
  NeighbourRoom& operator=(const NeighbourRoom&) = delete;

  bool is_there(int most) const {
    const std::string now = get_file("/proc/sys/net/ipv4/neigh/default/gc_thresh3");
    return !now.empty() && std::stoi(now) >= most;
  }

 private:
  std::map<std::string, std::string> former_;
};

}  // namespace slipway::test
