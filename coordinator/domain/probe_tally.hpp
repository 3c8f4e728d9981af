#pragma once
// Who was asked for whom in a probe and what was lost, counted by both ends. Pure.
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "coordinator/domain/network_health.hpp"

namespace slipway {

// One way of pinging.
struct ProbeWay {
  ProbeGoal goal = ProbeGoal::node;
  bool v4 = true;
  std::size_t index() const { return static_cast<std::size_t>(goal) * 2 + (v4 ? 0 : 1); }
};

class ProbeTally {
 public:
  struct Count {
    std::uint32_t asked = 0;
    std::uint32_t lost = 0;  // of small packets
    bool all_lost() const { return asked > 0 && lost == asked; }
    // One alone cannot tell which end is at fault.
    bool many_lost() const { return asked > 1 && lost == asked; }
  };

  // The picture must outlive it.
  explicit ProbeTally(const ProbePicture& picture);

  // Whether `from` reported and had something to ask for there.
  bool asked(std::uint32_t from, std::uint32_t to, ProbeWay way) const;
  const ProbeLoss* lost(std::uint32_t from, std::uint32_t to, ProbeWay way,
                        bool large) const;  // null: it was not, or not asked
  bool works(std::uint32_t from, std::uint32_t to, ProbeWay way) const {
    return asked(from, to, way) && lost(from, to, way, false) == nullptr;
  }
  const Count& towards(std::uint32_t node, ProbeWay way) const { return towards_[node][way.index()]; }
  const Count& from(std::uint32_t node, ProbeWay way) const { return from_[node][way.index()]; }
  const Count& of_all(ProbeWay way) const { return all_[way.index()]; }
  // Whether both are among nodes that reach each other, one way or round about, but not those of the other:
  // each with company.
  bool apart(std::uint32_t a, std::uint32_t b, ProbeWay way) const;
  const std::vector<std::uint32_t>& peers(std::uint32_t from) const {
    return peers_[from];
  }  // empty: did not report

 private:
  using Counts = std::array<Count, 6>;
  struct Group {
    std::vector<std::uint32_t> of;     // node -> its group
    std::vector<std::uint32_t> sizes;  // by group
  };
  static std::uint64_t key(std::uint32_t from, std::uint32_t to, ProbeWay way, bool large);
  void count(std::uint32_t from, std::uint32_t to, ProbeWay way);
  const Group& groups(ProbeWay way) const;

  const ProbePicture& picture_;
  std::vector<std::vector<std::uint32_t>> peers_;
  std::map<std::uint64_t, const ProbeLoss*> losses_;
  std::vector<Counts> towards_, from_;
  Counts all_{};
  mutable std::array<Group, 6> groups_{};  // made when first asked for
};

}  // namespace slipway
