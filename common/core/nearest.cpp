#include "common/core/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_longest = 80;  // of a name that was meant to be one

// Nobody means `on` with `x`: of a short word more than half must be right.
std::size_t most_edits(std::size_t length) {
  if (length < 2) return 0;
  return std::min(std::max<std::size_t>(2, length / 4), (length - 1) / 2 + (length == 2 ? 1 : 0));
}

// The one name that begins so: `warn` for warning.
std::optional<std::string_view> only_longer(const std::string& lowered, std::span<const std::string_view> known) {
  constexpr std::size_t k_shortest = 3;
  if (lowered.size() < k_shortest) return std::nullopt;
  const auto begins_so = [&lowered](std::string_view name) { return lower(name).starts_with(lowered); };
  const auto found = std::find_if(known.begin(), known.end(), begins_so);
  if (found == known.end() || std::count_if(known.begin(), known.end(), begins_so) > 1) return std::nullopt;
  return *found;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most) {
  const std::size_t apart = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (apart > most) return most + 1;
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    if (*std::min_element(row.begin(), row.end()) > most) return most + 1;
  }
  return std::min(row.back(), most + 1);
}

std::optional<std::string_view> nearest_name(std::string_view written, std::span<const std::string_view> known) {
  if (written.size() > k_longest) return std::nullopt;
  const std::string lowered = lower(written);
  std::optional<std::string_view> best;
  std::size_t most = most_edits(written.size());
  for (const std::string_view name : known) {
    const std::size_t edits = edit_distance(lowered, lower(name), most);
    if (edits > most) continue;
    best = name;
    if (edits == 0) break;
    most = edits - 1;  // only what is nearer counts from here on
  }
  return best ? best : only_longer(lowered, known);
}

}  // namespace slipway
