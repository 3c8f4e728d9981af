#pragma once
// What the fields of the files that people write may hold and mean: one table a file, used where they are checked and where docs/ is made from it.
// Names, types and defaults are the field lists' (fields.hpp). Pure.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::proto {

struct FieldNote {
  std::string_view path;     // "network.vxlan.id"; "network.pools[].name" of the entries of a list
  std::string_view meaning;  // Markdown, one line; links are those of a page in docs/
  std::string_view fallback = {};  // for people, where the default of the type says too little
  std::string_view choices = {};   // words between spaces that it may be
  std::uint64_t least = 0;         // of a number
  std::uint64_t most = 0;          // 0: whatever fits
};

std::span<const FieldNote> agent_notes();        // agent.yaml: AgentConfig
std::span<const FieldNote> coordinator_notes();  // coordinator.yaml: CoordinatorConfig
std::span<const FieldNote> cluster_notes();      // cluster.yaml: ClusterSpec
// The note of a field; one without any rule where there is none.
FieldNote note_of(std::span<const FieldNote> notes, std::string_view path);

// "\"noed\" is not known: node or master; did you mean node?"; absent: it is one of the choices.
std::optional<std::string> choice_problem(const FieldNote& note, std::string_view value);
// "300 is out of bounds: 0 to 256"; absent: it lies between.
std::optional<std::string> bounds_problem(const FieldNote& note, std::uint64_t value);

struct FieldOutline {
  std::string path;
  std::string type;          // "text", "number", "true or false", "list of text", "map", "list"
  bool required = false;
  std::string initial;       // JSON of the default; empty: required
};
// All fields of a file's type in the order of its field lists, those of nested types in their place. T: AgentConfig, CoordinatorConfig, ClusterSpec.
template <class T> std::vector<FieldOutline> outline();

// The table of a page: field, type, default, allowed, meaning.
std::string reference_table(const std::vector<FieldOutline>& fields, std::span<const FieldNote> notes);

}  // namespace slipway::proto
