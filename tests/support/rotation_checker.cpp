#include "tests/support/rotation_checker.hpp"

#include <algorithm>
#include <utility>

namespace slipway::test {

namespace {

std::string text_of(const CaStand& stand) {
  return stand.phase + " with number " + std::to_string(stand.signing) + " signing and " + std::to_string(stand.other) + " beside it";
}

}  // namespace

void RotationChecker::asked(std::string step) { step_ = std::move(step); }

bool RotationChecker::follows(const CaStand& after) const {
  if (step_ == "prepare") {
    const bool fresh = after.other > std::max(highest_, known_.signing);
    return known_.phase == "stable" && after.phase == "distributing" && after.signing == known_.signing && fresh;
  }
  if (step_ == "activate") return known_.phase == "distributing" && after == CaStand{"replacing", known_.other, known_.signing};
  if (step_ == "retire") return known_.phase == "replacing" && after == CaStand{"stable", known_.signing, 0};
  return false;
}

std::vector<std::string> RotationChecker::answered(const CaStand& told) {
  std::vector<std::string> found;
  if (!follows(told)) found.push_back("I1: " + step_ + " after " + text_of(known_) + " was answered with " + text_of(told));
  known_ = told;
  highest_ = std::max({highest_, told.signing, told.other});
  step_.clear();
  return found;
}

std::vector<std::string> RotationChecker::check(const CaStand& stored) {
  std::vector<std::string> found;
  const bool cut_off = !step_.empty() && follows(stored);
  if (stored != known_ && !cut_off) {
    const std::string way = step_.empty() ? "nothing is on its way" : step_ + " is on its way";
    found.push_back("I1: the authority was told to be " + text_of(known_) + ", the store says " + text_of(stored) + ", and " + way);
  }
  known_ = stored;
  highest_ = std::max({highest_, stored.signing, stored.other});
  step_.clear();
  return found;
}

std::vector<std::string> RotationChecker::check_keys(const std::set<std::uint64_t>& numbers) const {
  std::vector<std::string> found;
  for (const std::uint64_t number : {known_.signing, known_.other}) {
    if (number != 0 && numbers.count(number) == 0) found.push_back("I1: the key of authority " + std::to_string(number) + " is lost");
  }
  for (const std::uint64_t number : numbers) {
    const bool wanted = number == known_.signing || number == known_.other || number > highest_;
    if (!wanted) found.push_back("I4: the key of retired authority " + std::to_string(number) + " is still there");
  }
  return found;
}

}  // namespace slipway::test
