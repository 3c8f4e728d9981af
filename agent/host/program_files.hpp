#pragma once
// The files of the installed programs that are in use, for whoever watches them.
#include <string>
#include <vector>

namespace slipway {

// Of each component below `install_root`: its link `current` and the files beside which the programs lie.
// Blocks for a few small reads.
std::vector<std::string> program_files(const std::string& install_root);

}  // namespace slipway
