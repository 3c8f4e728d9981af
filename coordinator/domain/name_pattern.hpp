#pragma once
// Patterns of node names, as tokens and pools have them. Pure.
#include <string_view>

namespace slipway {

// '*' stands for any text, also none, '?' for any one character, all else for itself. Time: the product of the two lengths.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace slipway
