#pragma once

namespace slipway {

// DESIGN.md section 5. 4: the host has not joined, or the agent does not run.
enum ExitCode { k_ok = 0, k_error = 1, k_preflight = 2, k_usage = 3, k_not_joined = 4, k_denied = 5 };

}  // namespace slipway
