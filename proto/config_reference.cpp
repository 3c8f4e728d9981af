#include "proto/config_reference.hpp"

#include <algorithm>
#include <type_traits>

#include "common/core/nearest.hpp"
#include "common/core/problems.hpp"
#include "common/core/text.hpp"
#include "proto/file_types.hpp"
#include "proto/json_fields.hpp"

namespace slipway::proto {

namespace {

// Types that are one field, whatever they hold.
template <class T> constexpr bool is_leaf = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, RawJson> ||
                                            std::is_same_v<T, Amount> || json_detail::is_map<T>::value;

template <class T> std::string type_name() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  else if constexpr (std::is_arithmetic_v<T>) return "number";
  else if constexpr (std::is_same_v<T, std::string>) return "text";
  else if constexpr (std::is_same_v<T, Amount>) return "number or text";
  else if constexpr (json_detail::is_vector<T>::value) return is_leaf<typename T::value_type> ? "list of " + type_name<typename T::value_type>() : "list of maps";
  else return "map";
}

// Walks the field lists and takes down what it passes.
struct Outliner {
  std::vector<FieldOutline>& out;
  std::string prefix;

  template <class T> void add(const char* name, T& member, bool required) {
    const std::string path = prefix + name;
    if constexpr (json_detail::is_optional<T>::value) {
      out.push_back({path, type_name<typename T::value_type>(), false, "null"});
    } else if constexpr (is_leaf<T>) {
      out.push_back({path, type_name<T>(), required, required ? std::string() : encode_json(member)});
    } else if constexpr (json_detail::is_vector<T>::value) {
      out.push_back({path, type_name<T>(), required, required ? std::string() : encode_json(member)});
      if constexpr (!is_leaf<typename T::value_type>) below<typename T::value_type>(path + "[].");
    } else {
      below<T>(path + ".");
    }
  }
  template <class T> void below(std::string path) {
    T value{};
    Outliner inner{out, std::move(path)};
    fields(inner, value);
  }
  template <class T> void operator()(const char* name, T& member) { add(name, member, true); }
  template <class T> void optional(const char* name, T& member) { add(name, member, false); }
};

std::string alternatives(const std::vector<std::string_view>& words, std::string_view mark) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += std::string(mark) + std::string(words[i]) + std::string(mark);
  }
  return text;
}

std::string default_cell(const FieldOutline& field, const FieldNote& note) {
  if (!note.fallback.empty()) return std::string(note.fallback);
  if (field.required) return "required";
  if (field.initial == "\"\"" || field.initial == "[]" || field.initial == "{}" || field.initial == "null") return "none";
  std::string text = field.initial;
  if (text.size() > 1 && text.front() == '"') text = text.substr(1, text.size() - 2);
  return "`" + text + "`";
}

std::string allowed_cell(const FieldNote& note) {
  if (!note.choices.empty()) return alternatives(split(note.choices, ' '), "`");
  if (note.most > 0) return std::to_string(note.least) + " to " + std::to_string(note.most);
  return {};
}

}  // namespace

FieldNote note_of(std::span<const FieldNote> notes, std::string_view path) {
  const auto found = std::find_if(notes.begin(), notes.end(), [path](const FieldNote& note) { return note.path == path; });
  return found == notes.end() ? FieldNote{path, {}} : *found;
}

std::optional<std::string> choice_problem(const FieldNote& note, std::string_view value) {
  if (note.choices.empty()) return std::nullopt;
  const std::vector<std::string_view> words = split(note.choices, ' ');
  if (std::find(words.begin(), words.end(), value) != words.end()) return std::nullopt;
  std::string text = in_quotes(value) + " is not known: " + alternatives(words, "");
  if (const auto meant = nearest_name(value, words)) text += "; did you mean " + std::string(*meant) + "?";
  return text;
}

std::optional<std::string> bounds_problem(const FieldNote& note, std::uint64_t value) {
  if (note.most == 0 || (value >= note.least && value <= note.most)) return std::nullopt;
  return std::to_string(value) + " is out of bounds: " + std::to_string(note.least) + " to " + std::to_string(note.most);
}

template <class T> std::vector<FieldOutline> outline() {
  std::vector<FieldOutline> found;
  T value{};
  Outliner outliner{found, ""};
  fields(outliner, value);
  return found;
}
template std::vector<FieldOutline> outline<AgentConfig>();
template std::vector<FieldOutline> outline<CoordinatorConfig>();
template std::vector<FieldOutline> outline<ClusterSpec>();

std::string reference_table(const std::vector<FieldOutline>& fields, std::span<const FieldNote> notes) {
  std::string text = "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const FieldOutline& field : fields) {
    const FieldNote note = note_of(notes, field.path);
    text += "| `" + field.path + "` | " + field.type + " | " + default_cell(field, note) + " | " + allowed_cell(note) + " | " + std::string(note.meaning) + " |\n";
  }
  return text;
}

}  // namespace slipway::proto
