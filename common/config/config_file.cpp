#include "common/config/config_file.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "common/config/scalar.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_file_bytes = 1024 * 1024;

Result<Json> parse_object(std::string_view text, std::string_view what) {
  if (json_depth(text) > k_max_json_depth) return make_error(Errc::invalid, std::string(what) + ": more than 64 levels");
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return make_error(Errc::invalid, std::string(what) + ": not JSON");
  // An empty document is an empty configuration.
  if (value.is_null()) value = Json::object();
  if (!value.is_object()) return make_error(Errc::invalid, std::string(what) + ": the top level must be a map of settings");
  return value;
}

Status merge_file(Json& base, const std::string& path) {
  Result<std::string> yaml = read_file(path, k_max_file_bytes);
  if (!yaml) return yaml.error();
  Result<std::string> text = yaml_to_json(*yaml, path);
  if (!text) return text.error();
  Result<Json> over = parse_object(*text, path);
  if (!over) return over.error();
  base.merge_patch(*over);
  return {};
}

// Paths of the drop-ins in name order; no folder, no drop-ins.
Result<std::vector<std::string>> drop_ins(const std::string& dir) {
  std::vector<std::string> paths;
  if (dir.empty()) return paths;
  Result<std::vector<std::string>> names = list_dir(dir);
  if (!names && names.error().code == Errc::not_found) return paths;
  if (!names) return names.error();
  for (const std::string& name : *names) {
    // Editors' and package managers' left-overs start with a dot or end otherwise.
    if (name.ends_with(".yaml") && name.front() != '.') paths.push_back(dir + "/" + name);
  }
  return paths;
}

}  // namespace

Result<std::string> load_config(const std::string& file, const std::string& drop_in_dir) {
  Result<std::vector<std::string>> extra = drop_ins(drop_in_dir);
  if (!extra) return extra.error();
  Json merged = Json::object();
  Status base = merge_file(merged, file);
  const bool may_be_missing = !extra->empty();
  if (!base && !(may_be_missing && base.error().code == Errc::not_found)) return error_of(base, "read configuration");
  for (const std::string& path : *extra) {
    if (Status added = merge_file(merged, path); !added) return error_of(added, "read configuration");
  }
  return merged.dump();
}

Result<std::string> merge_json(std::string_view base, std::string_view over) {
  Result<Json> left = parse_object(base, "merge settings: base");
  if (!left) return left.error();
  Result<Json> right = parse_object(over, "merge settings: overrides");
  if (!right) return right.error();
  left->merge_patch(*right);
  return left->dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace slipway
