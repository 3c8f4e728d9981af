#pragma once
// JSON as TOML, for containerd. Private to this folder.
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/core/result.hpp"

namespace slipway::render_parts {

// TOML 1.0 of an object: values of a table first, then its tables, by name; objects within lists inline.
// Errc::invalid: a null, a number larger than TOML's, or more than 32 levels.
Result<std::string> json_to_toml(const nlohmann::json& value);

}  // namespace slipway::render_parts
