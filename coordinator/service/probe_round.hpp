#pragma once
// The probe of the network that is under way, or the last one: who is asked, what came back, and what it
// means. In memory: after a restart of the coordinator there is none. State thread only; has no clock and
// waits for nothing, its callers do.
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/clock.hpp"
#include "coordinator/domain/network_health.hpp"
#include "proto/network_probe.hpp"

namespace slipway {

struct ProbeTimes {
  Millis gather{8'000};  // for agents to say where their pods are; less when all have
  Millis probe{20'000};  // for their results
};

// A node as it is when the probe begins.
struct ProbeMember {
  std::string uid;
  std::string name;
  bool heard = false;   // lately
  std::string version;  // its agent's; empty: not told
  std::string unready;  // why its pod network is not whole; empty: it is
  std::vector<IpAddress> addresses;
  std::vector<Cidr> blocks;
};

class ProbeRound {
 public:
  explicit ProbeRound(ProbeTimes times = {}) : times_(times) {}

  bool under_way(SteadyTime now);
  // Only when none is under way; the last one is forgotten.
  void start(std::string id, std::vector<ProbeMember> members, proto::NetworkSettings settings,
             SteadyTime now, WallTime wall);

  // The id that this agent is to be told; empty: none, or it knows of it.
  const std::string& news_for(const std::string& uid, const std::string& known, SteadyTime now);
  // Errc::conflict: that probe is not, or no longer, gathering. Errc::invalid names the field; addresses
  // outside of the node's own blocks are: nobody makes others ping strangers. Again, it takes the place of
  // what was offered before.
  Status offer(const std::string& uid, const proto::ProbeOffer& offer, SteadyTime now);
  // For who has offered. Absent: it is still gathering, until gathering_ends(). Errc::conflict: that probe is
  // over.
  Result<std::optional<proto::ProbeTargets>> targets(const std::string& uid, const std::string& id,
                                                     SteadyTime now);
  // Errc::conflict: that probe is over, or this node has no part in it. Errc::invalid names what it was not
  // asked for. The first report counts.
  Status report(const std::string& uid, const proto::ProbeReport& report, SteadyTime now);

  // When the phase under way ends at the latest.
  SteadyTime phase_ends() const { return ends_; }
  bool done(SteadyTime now);
  // Absent: there was none since the start.
  std::optional<proto::NetworkProbe> view(SteadyTime now);
  // Rises with each phase.
  std::uint64_t changes() const { return changes_; }

 private:
  enum class Phase { none, gathering, probing, done };
  struct Taking {
    bool told = false;
    bool offered = false;
    bool reported = false;
    std::vector<IpAddress> bridges, pods;
    std::string note;  // of the offer and the report
  };
  void advance(SteadyTime now);
  void enter(Phase phase, SteadyTime ends);
  bool all_offered() const;
  std::optional<std::uint32_t> place_of(const std::string& uid) const;
  Result<std::uint32_t> taker(const std::string& uid, const std::string& id) const;
  const std::vector<IpAddress>& offered(std::uint32_t node, ProbeGoal goal) const;
  Result<ProbeLoss> loss_of(std::uint32_t from, const proto::ProbeLoss& told) const;
  void finish();
  proto::SilentNode silence_of(std::uint32_t node) const;
  std::vector<std::string> notes() const;

  ProbeTimes times_;
  Phase phase_ = Phase::none;
  SteadyTime ends_{};
  std::uint64_t changes_ = 0;
  std::string id_;
  std::vector<ProbeMember> members_;
  std::vector<Taking> taking_;                   // by place
  std::map<std::string, std::uint32_t> by_uid_;  // places
  std::map<std::string, std::uint32_t> by_name_;
  std::size_t offers_ = 0, reports_ = 0;
  ProbePicture picture_;
  proto::NetworkProbe result_;
};

}  // namespace slipway
