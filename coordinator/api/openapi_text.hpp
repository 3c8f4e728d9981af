#pragma once
// proto/openapi.json as it was when this program was built.
#include <string_view>

namespace slipway::api {

std::string_view openapi_text();

}  // namespace slipway::api
