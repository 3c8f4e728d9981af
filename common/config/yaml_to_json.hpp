#pragma once
// YAML at the edge, JSON from there on. Pure; safe on any thread.
#include <string>
#include <string_view>

#include "common/config/places.hpp"
#include "common/core/result.hpp"

namespace slipway {

// One YAML document (an empty one is null) as JSON text. `origin` (a file name) starts every error: "agent.yaml:3:7: ...", line and column.
// Plain scalars are typed by the core rules of YAML 1.2 (null, true/false, decimal, 0x and 0o integers, floats); "yes", "on"
// and "12:30" stay strings, as do quoted scalars. Refused: duplicate keys, keys that are no scalars, tags, several documents,
// more than 1 MiB of text, 64 levels, or 100,000 values once aliases are resolved.
Result<std::string> yaml_to_json(std::string_view yaml, std::string_view origin);

// The same with the place of every field and entry, for what is wrong with them. Within what an alias stands for: the alias's own.
struct YamlText {
  std::string json;
  Places places;
};
Result<YamlText> read_yaml(std::string_view yaml, std::string_view origin);

// Block-style YAML of JSON text, for people (-o yaml): strings that would read as something else are quoted, keys keep
// their order of the text. Ends with a newline.
Result<std::string> json_to_yaml(std::string_view json);

}  // namespace slipway
