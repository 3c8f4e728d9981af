#pragma once
// Which versions of a component lie on the host. A value.
#include <set>
#include <string>

namespace slipway {

struct InstalledComponent {
  std::set<std::string> versions;  // complete and unharmed ones
  std::set<std::string> broken;    // folders that are incomplete or were changed
  std::string current;             // where `current` leads; empty: nowhere, or to what is not whole
  std::string previous;            // was current before: kept for a way back

  bool operator==(const InstalledComponent&) const = default;
};

}  // namespace slipway
