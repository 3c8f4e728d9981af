#pragma once
// The last words of a component, cut and cleaned for reports. Pure.
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

inline constexpr std::size_t k_log_lines = 20;
inline constexpr std::size_t k_log_line_bytes = 300;
inline constexpr std::size_t k_log_depth = 2000;  // lines to look through for them: a Go program that gives up says why before the stacks of all its goroutines

// One line: control characters and bytes that are no UTF-8 as \x1b, cut with "..." so that it has k_log_line_bytes at most.
std::string clean_log_line(std::string_view line);
// The last k_log_lines lines of `text` that are not empty, cleaned. A first line that begins before `text` does (`cut`) is
// left out. So are stacks of goroutines, unless there is nothing else.
std::vector<std::string> last_log_lines(std::string_view text, bool cut);

}  // namespace slipway
