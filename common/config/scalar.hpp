#pragma once
// What a plain YAML scalar means by the core rules of YAML 1.2. Private to this folder.
#include <string_view>

namespace slipway {

enum class ScalarKind { null, boolean, integer, real, text, not_finite };

ScalarKind classify_scalar(std::string_view plain);

// Nesting of [] and {} outside strings; what is not JSON gives some number, and fails in the parser after this.
int json_depth(std::string_view json);
inline constexpr int k_max_json_depth = 64;

}  // namespace slipway
