#pragma once
// Configuration of a daemon: a YAML file and drop-ins beside it. Blocks; used at start.
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

// `file` and then every *.yaml of `drop_in_dir` in name order (empty: no drop-ins; a missing folder is none), merged, as the
// JSON text of one object. Errc::not_found only when `file` is missing and there is no drop-in either.
Result<std::string> load_config(const std::string& file, const std::string& drop_in_dir);

// `over` on `base`: maps merge key by key, anything else replaces, null removes the key. Both JSON text.
Result<std::string> merge_json(std::string_view base, std::string_view over);

}  // namespace slipway
