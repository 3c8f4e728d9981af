#pragma once
// Room for many neighbours on this machine. The kernel counts those of all network namespaces together, and 60 nodes
// that all know each other are more than the 1,024 that it keeps by itself; on a host the agent sees to it.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/core/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

// Raises the limits of both families while it lives; of the network namespace that the machine started with. One at a time: who ends first
// would take the other's room away; a second one waits. Needs root.
class NeighbourRoom {
 public:
  explicit NeighbourRoom(int most) {
    const std::string lock = std::filesystem::temp_directory_path() / "slipway-neighbour-room.lock";
    turn_.reset(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    int locked = -1;
    do {
      locked = turn_ ? ::flock(turn_.get(), LOCK_EX) : -1;
    } while (locked != 0 && errno == EINTR);
    if (locked != 0) throw std::runtime_error("cannot lock " + lock);
    for (const char* family : {"ipv4", "ipv6"})
      for (const auto& [name, limit] : {std::pair("gc_thresh3", most), std::pair("gc_thresh2", most / 2)}) {
        const std::string path = std::string("/proc/sys/net/") + family + "/neigh/default/" + name;
        const std::string now = get_file(path);
        if (now.empty() || std::stoi(now) >= limit) continue;
        former_[path] = now;
        put_file(path, std::to_string(limit) + "\n");
      }
  }
  // Namespaces that were left go a while later, and their neighbours with them: until then there is no room for others' within the former limit.
  ~NeighbourRoom() {
    for (int tenths = 0; tenths < 100 && most_entries() > k_few; ++tenths) ::usleep(100'000);
    for (const auto& [path, value] : former_) put_file(path, value);
  }
  NeighbourRoom(const NeighbourRoom&) = delete;
  NeighbourRoom& operator=(const NeighbourRoom&) = delete;

  bool is_there(int most) const {
    const std::string now = get_file("/proc/sys/net/ipv4/neigh/default/gc_thresh3");
    return !now.empty() && std::stoi(now) >= most;
  }

 private:
  static constexpr unsigned long k_few = 128;
  // Of both families, in all namespaces: the first column of the second line, hexadecimal.
  static unsigned long most_entries() {
    unsigned long most = 0;
    for (const char* table : {"arp_cache", "ndisc_cache"}) {
      const std::string text = get_file(std::string("/proc/net/stat/") + table);
      const std::size_t line = text.find('\n');
      if (line != std::string::npos) most = std::max(most, std::stoul("0" + text.substr(line + 1, 8), nullptr, 16));
    }
    return most;
  }

  UniqueFd turn_;
  std::map<std::string, std::string> former_;
};

}  // namespace slipway::test
