#pragma once
// What a component asks to be copied. Apart from how (program_copies.hpp): descriptions of components need no change
// ledger.
#include <string>

namespace slipway {

// That all programs of an installed component are to lie in a folder, too.
struct ProgramCopies {
  std::string component;  // "cni-plugins"
  std::string folder;     // "/opt/cni/bin"
  bool operator==(const ProgramCopies&) const = default;
};

}  // namespace slipway
