#pragma once
// The replacement of one authority under the nodes of a campaign, step by step, with a crash between any two.
#include <array>
#include <string>

#include "proto/view_types.hpp"
#include "tests/reliability/campaign.hpp"
#include "tests/support/rotation_checker.hpp"

namespace slipway::test {

inline const std::array<std::string, 3> k_rotation_steps = {"prepare", "activate", "retire"};

// Of the authority for kubelets' serving certificates: nodes alone hold what it signs, so that a retire need not be forced. The campaign
// is borrowed; its coordinator runs when something here asks it.
class Rotation {
 public:
  explicit Rotation(Campaign& campaign) : campaign_(campaign) {}

  // Until `step` is the next one: takes the others, with what nodes do between them. Ends the program when that does not go on.
  void come_to(const std::string& step);
  // Asks for it. False: it was not acknowledged.
  bool take(const std::string& step);
  // After the coordinator has ended: whether the store as it lies there fits what was told.
  bool check(const std::string& when);
  // After a restart: the step is there or can be taken now, no key is lost or left over, and every certificate that a node holds is
  // verifiable with what the coordinator gives out.
  bool goes_on(const std::string& step, const std::string& when);

 private:
  proto::CaView view() const;  // of the running coordinator
  void make_ready(const std::string& step);
  void report();
  bool certificates_verify(const std::string& when);
  bool keys_are_right(const std::string& when);

  Campaign& campaign_;
  RotationChecker checker_;
  std::vector<std::string> findings_;  // of answers
};

}  // namespace slipway::test
