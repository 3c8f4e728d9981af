// The judge of replaced authorities: a clean history passes, and each fault is found.
#include "tests/support/rotation_checker.hpp"

#include <catch2/catch.hpp>

namespace slipway::test {
namespace {

const CaStand k_first{"stable", 1, 0};
const CaStand k_prepared{"distributing", 1, 2};
const CaStand k_activated{"replacing", 2, 1};
const CaStand k_second{"stable", 2, 0};

RotationChecker prepared() {
  RotationChecker checker;
  checker.asked("prepare");
  CHECK(checker.answered(k_prepared).empty());
  return checker;
}

RotationChecker activated() {
  RotationChecker checker = prepared();
  checker.asked("activate");
  CHECK(checker.answered(k_activated).empty());
  return checker;
}

TEST_CASE("a rotation that was told is there after a crash, and one cut off is there or is not", "[support][crash]") {
  CHECK(RotationChecker().check(k_first).empty());
  CHECK(prepared().check(k_prepared).empty());
  CHECK(activated().check(k_activated).empty());
  for (const CaStand& left : {k_activated, k_second}) {
    RotationChecker checker = activated();
    checker.asked("retire");
    CHECK(checker.check(left).empty());
    CHECK(checker.check(left).empty());  // it stays so
  }
  RotationChecker whole = activated();
  whole.asked("retire");
  CHECK(whole.answered(k_second).empty());
  // Two that were cut off before the store knew of them.
  whole.asked("prepare");
  CHECK(whole.answered({"distributing", 2, 5}).empty());
}

TEST_CASE("a step that is lost, that nobody asked for, or that skips another is found", "[support][crash]") {
  CHECK(prepared().check(k_first).size() == 1);
  CHECK(activated().check(k_prepared).size() == 1);
  CHECK(RotationChecker().check(k_prepared).size() == 1);
  RotationChecker skips;
  skips.asked("prepare");
  CHECK(skips.check(k_activated).size() == 1);
  RotationChecker others = prepared();
  others.asked("activate");
  CHECK(others.check({"replacing", 3, 1}).size() == 1);
  RotationChecker again = activated();
  again.asked("retire");
  CHECK(again.check(k_second).empty());
  CHECK(again.check(k_activated).size() == 1);  // what a crash left may not change
}

TEST_CASE("a number that was used before is not used again", "[support][crash]") {
  RotationChecker checker = activated();
  checker.asked("retire");
  CHECK(checker.answered(k_second).empty());
  checker.asked("prepare");
  CHECK(checker.answered({"distributing", 2, 2}).size() == 1);
  RotationChecker wrong = prepared();
  wrong.asked("activate");
  CHECK(wrong.answered(k_second).size() == 1);
}

TEST_CASE("keys are there as long as they are needed and no longer", "[support][crash]") {
  CHECK(prepared().check_keys({1, 2}).empty());
  CHECK(prepared().check_keys({1, 2, 3}).empty());  // of a step that was cut off
  CHECK(prepared().check_keys({1}).size() == 1);
  RotationChecker checker = activated();
  checker.asked("retire");
  CHECK(checker.answered(k_second).empty());
  CHECK(checker.check_keys({2}).empty());
  CHECK(checker.check_keys({1, 2}).size() == 1);
  CHECK(checker.check_keys({}).size() == 1);
}

}  // namespace
}  // namespace slipway::test
