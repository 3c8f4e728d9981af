#pragma once
// Configurations in layers: files and drop-ins, or settings of several levels. Pure.
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

// `over` on `base`: maps merge key by key, anything else replaces, null removes the key. Both JSON text.
Result<std::string> merge_json(std::string_view base, std::string_view over);

}  // namespace slipway
