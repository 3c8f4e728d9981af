#pragma once
// Which of the names that are known was probably meant. Pure; safe on any thread.
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace slipway {

// Insertions, deletions, changes and swaps of neighbours that make one text of the other (optimal string alignment, a restricted
// Damerau-Levenshtein distance); `most` + 1 when there are more than `most`.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most);

// The nearest of `known`, the first of equals; absent when none is near enough for anybody to have meant it: two edits, in long names one for every
// four letters, and always fewer than half of what was written. Then the only one that begins so. Letter case does not count. The view is into `known`.
std::optional<std::string_view> nearest_name(std::string_view written, std::span<const std::string_view> known);

}  // namespace slipway
