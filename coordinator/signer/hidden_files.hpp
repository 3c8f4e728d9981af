#pragma once
// What this process may not open any more, although its user owns it.
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway::signer {

// By Landlock: from now on this thread and those that it starts cannot open files at or below these paths,
// whatever they are called later, nor look into processes outside. Irrevocable; sets no_new_privs. Files that
// come to lie beside them in the folders above later on cannot be opened either, so all that is needed there
// must be open or there. false: the kernel cannot do it (before 5.19, or it is forbidden here).
Result<bool> hide_files(const std::vector<std::string>& paths);

}  // namespace slipway::signer
