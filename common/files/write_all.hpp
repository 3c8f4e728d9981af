#pragma once
// Blocking write of all bytes.
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

// To a descriptor that blocks and stays the caller's. Goes on after a signal and after a part. Errors: "write <what>: ..." (write(2)); a part
// may be written then.
Status write_all(int fd, std::string_view bytes, std::string_view what);

}  // namespace slipway
