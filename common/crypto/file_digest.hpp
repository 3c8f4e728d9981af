#pragma once
// Digest of a whole file. Blocks: on an event thread only through offload().
#include <string>

#include "common/core/result.hpp"

namespace slipway {

// 64 lower case digits; the file is read in chunks, a link is not followed.
Result<std::string> sha256_of_file(const std::string& path);

}  // namespace slipway
