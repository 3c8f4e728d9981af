#pragma once
// Which Kubernetes this release knows, and spans of minors in which something exists.
#include <optional>
#include <string_view>

namespace slipway::kube {

inline constexpr int k_oldest_minor = 18;
inline constexpr int k_newest_minor =
    37;  // kubernetes/kubernetes CHANGELOG/CHANGELOG-1.38.md: its first alpha follows v1.37.0
inline constexpr int k_still = 9999;  // not removed in any minor that is known

// First and last minor, both included.
struct Span {
  int first = k_oldest_minor;
  int last = k_still;
  constexpr bool contains(int minor) const { return first <= minor && minor <= last; }
  bool operator==(const Span&) const = default;
};

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const Version&) const = default;
};

// "1.20.2"; what follows a hyphen or plus in the last number is passed over. Absent: not a version.
std::optional<Version> parse_version(std::string_view text);
// 20 of "1.20.2"; absent: no version, or not 1.x.
std::optional<int> kube_minor(std::string_view text);

}  // namespace slipway::kube
