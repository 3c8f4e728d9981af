#include "common/kube/versions.hpp"

#include "common/core/text.hpp"

namespace slipway::kube {

std::optional<Version> parse_version(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() < 3) return std::nullopt;
  // "1.20.2-rc.1" has more dots, behind its hyphen.
  const std::string_view last = parts[2].substr(0, parts[2].find_first_of("-+"));
  if (parts.size() > 3 && last.size() == parts[2].size()) return std::nullopt;
  const auto major = parse_u64(parts[0], 9999);
  const auto minor = parse_u64(parts[1], 9999);
  const auto patch = parse_u64(last, 999999);
  if (!major || !minor || !patch) return std::nullopt;
  return Version{static_cast<int>(*major), static_cast<int>(*minor), static_cast<int>(*patch)};
}

std::optional<int> kube_minor(std::string_view text) {
  const auto version = parse_version(text);
  if (!version || version->major != 1) return std::nullopt;
  return version->minor;
}

}  // namespace slipway::kube
