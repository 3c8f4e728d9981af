#pragma once
// How a private key may show up in a text: for taking it out of what leaves a host.
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

// The secret numbers of the key in hex and base64, its DER likewise, and the lines of its PEM. Errc::invalid:
// it is no private key that can be read (an encrypted one needs none of this).
Result<std::vector<Secret>> key_forms(const Secret& pem);

}  // namespace slipway
