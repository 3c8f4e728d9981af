#pragma once
// A second opinion on certificates: OpenSSL's own path validation (RFC 5280 section 6, strict), where our reader and writer
// have had no hand in.
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/crypto/certificate.hpp"

namespace slipway {

enum class ChainPurpose { any, server, client };

// Whether `leaf` chains through `between` to `root`, which alone is trusted, at the time `at`, with all constraints that stand
// on the way (dates, path lengths, key usages, extended key usages, names). Errc::invalid with OpenSSL's words and the
// certificate that it stumbled over. Any thread.
Status verify_chain(const Certificate& leaf, const std::vector<Certificate>& between, const Certificate& root,
                    ChainPurpose purpose, WallTime at);

}  // namespace slipway
