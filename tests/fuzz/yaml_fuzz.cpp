// What people write. Whatever is read becomes JSON, and that, written for people again, reads as the same.
#include <string>

#include "common/config/yaml_to_json.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const auto json = yaml_to_json(fuzz::text_of(data, size), "input");
  if (!json) return 0;
  const auto yaml = json_to_yaml(*json);
  fuzz::hold(yaml.has_value(), "what was read can be written");
  const auto again = yaml_to_json(*yaml, "written");
  fuzz::hold(again.has_value(), "what was written can be read");
  fuzz::hold(*again == *json, "and is the same");
  return 0;
}
