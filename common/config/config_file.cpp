#include "common/config/config_file.hpp"

#include <nlohmann/json.hpp>

#include "common/config/scalar.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

Result<Json> parse_object(std::string_view text, std::string_view what) {
  if (json_depth(text) > k_max_json_depth) return make_error(Errc::invalid, std::string(what) + ": more than 64 levels");
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return make_error(Errc::invalid, std::string(what) + ": not JSON");
  // An empty document is an empty configuration.
  if (value.is_null()) value = Json::object();
  if (!value.is_object()) return make_error(Errc::invalid, std::string(what) + ": the top level must be a map of settings");
  return value;
}

}  // namespace

Result<std::string> merge_json(std::string_view base, std::string_view over) {
  Result<Json> left = parse_object(base, "merge settings: base");
  if (!left) return left.error();
  Result<Json> right = parse_object(over, "merge settings: overrides");
  if (!right) return right.error();
  left->merge_patch(*right);
  return left->dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace slipway
