#pragma once
// In which order units start. Pure.
#include <vector>

#include "agent/domain/unit_spec.hpp"

namespace slipway {

// Each after those it names in After= and those that name it in Before=; else by name. In a circle somebody has to begin:
// then the one with the smallest name.
std::vector<UnitSpec> in_start_order(std::vector<UnitSpec> units);

}  // namespace slipway
