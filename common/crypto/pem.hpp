#pragma once
// PEM (RFC 7468), strict: no headers, no text around the blocks.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

std::string pem_encode(std::string_view label, std::string_view der);

// The blocks of `text`, all of which must carry `label`; white space is all that may stand around them.
Result<std::vector<std::string>> pem_decode(std::string_view text, std::string_view label);
// Exactly one block.
Result<std::string> pem_decode_one(std::string_view text, std::string_view label);

}  // namespace slipway
