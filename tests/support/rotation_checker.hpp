#pragma once
// Holds what an operator was told about the replacement of an authority against what the store says after a crash. Pure, without any
// product type, as crash_checker.hpp, and part of rule I1: a step that was acknowledged is there, one that went unanswered is there
// or is not, and nothing else has happened.
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace slipway::test {

// How far it is: phases as in docs/certificates.md.
struct CaStand {
  std::string phase = "stable";
  std::uint64_t signing = 1;  // number of the authority that signs
  std::uint64_t other = 0;    // the coming one, or the one on its way out; 0: none
  bool operator==(const CaStand&) const = default;
};

class RotationChecker {
 public:
  explicit RotationChecker(CaStand first = {}) : known_(std::move(first)) {}

  void asked(std::string step);                          // prepare, activate, retire; one at a time
  std::vector<std::string> answered(const CaStand& told);  // the step was acknowledged, with this
  // The store as a crash left it. From here on that is what counts, and no step is under way.
  std::vector<std::string> check(const CaStand& stored);
  // Which numbers a key may be kept for. Numbers above the highest known are of a step that a crash cut off: their keys stay, for a
  // store from a backup knows less than there was.
  std::vector<std::string> check_keys(const std::set<std::uint64_t>& numbers) const;

 private:
  bool follows(const CaStand& after) const;  // from what is known, by the step that was asked for

  CaStand known_;
  std::uint64_t highest_ = 1;  // number that was ever told or stored
  std::string step_;           // asked for and not answered; empty: none
};

}  // namespace slipway::test
