#include "agent/domain/unit_order.hpp"

#include <algorithm>

namespace slipway {

namespace {

bool names(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool must_wait(const UnitSpec& unit, const std::vector<UnitSpec>& others) {
  return std::any_of(others.begin(), others.end(), [&unit](const UnitSpec& other) {
    return other.name != unit.name && (names(unit.after, other.name) || names(other.before, unit.name));
  });
}

}  // namespace

std::vector<UnitSpec> in_start_order(std::vector<UnitSpec> units) {
  std::sort(units.begin(), units.end(), [](const UnitSpec& a, const UnitSpec& b) { return a.name < b.name; });
  std::vector<UnitSpec> ordered;
  while (!units.empty()) {
    auto next = std::find_if(units.begin(), units.end(), [&units](const UnitSpec& unit) { return !must_wait(unit, units); });
    if (next == units.end()) next = units.begin();
    ordered.push_back(std::move(*next));
    units.erase(next);
  }
  return ordered;
}

}  // namespace slipway
