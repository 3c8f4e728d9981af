#pragma once
// Reads back what render() of unit_spec.hpp writes. Pure. For the supervisor of hosts without systemd: it knows the settings
// that Slipway's units have, and refuses all others rather than run a unit differently from what its file says.
#include <string>
#include <string_view>

#include "agent/domain/unit_spec.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Errc::invalid names the line.
Result<UnitSpec> parse_unit(const std::string& name, std::string_view text);

}  // namespace slipway
