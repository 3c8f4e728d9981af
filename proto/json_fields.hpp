#pragma once
// The JSON side of field lists. Includes nlohmann/json.hpp: for codec.cpp and the stores' record files only.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "common/core/result.hpp"
#include "proto/fields.hpp"

namespace slipway::proto {

using Json = nlohmann::json;

// Strict: no duplicate keys, at most 32 levels, no trailing text; never throws.
Result<Json> parse_json(std::string_view text);

namespace json_detail {

template <class T> struct is_vector : std::false_type {};
template <class T> struct is_vector<std::vector<T>> : std::true_type {};
template <class T> struct is_optional : std::false_type {};
template <class T> struct is_optional<std::optional<T>> : std::true_type {};
template <class T> struct is_map : std::false_type {};
template <class T> struct is_map<std::map<std::string, T>> : std::true_type {};

template <class T> void write_json(std::string& out, const T& value);
// How a document is read, and in the end what is wrong with it.
struct Reading {
  bool strict = false;  // a field that no list knows is wrong, too, and all that is wrong is told, not only the first of it
  std::string pointer = {};  // to what is wrong first
  std::string problem = {};  // a line each
  std::size_t problems = 0;
};
constexpr std::size_t k_most_problems = 50;
template <class T> bool from_json(const Json& json, T& value, const std::string& where, Reading& reading);

// What to say of a field that no list knows: the one that was probably meant, or, where there are few, all that there are.
std::string unknown_field(std::string_view key, const std::vector<std::string_view>& known);

// Appends `text` as a JSON string. Printable ASCII and line ends are copied; the rest is the library's, which also checks UTF-8.
void write_text(std::string& out, std::string_view text);
// Appends the object that `text` holds, without white space; {} where it holds none.
void write_raw(std::string& out, const std::string& text);
void write_number(std::string& out, double value);
// A number as one, all else as text.
void write_amount(std::string& out, const std::string& text);

// Writes members in the order of the field list, straight into the text: a tree of them first would be a piece of memory for each.
struct Writer {
  std::string& out;
  bool first = true;

  template <class T> void operator()(const char* name, T& member) {
    out += first ? "\"" : ",\"";
    first = false;
    out += name;
    out += "\":";
    write_json(out, member);
  }
  template <class T> void optional(const char* name, T& member) {
    if constexpr (is_optional<T>::value) {
      if (member) (*this)(name, *member);
    } else {
      (*this)(name, member);
    }
  }
};

template <class T> void write_items(std::string& out, const T& value) {
  bool first = true;
  for (const auto& item : value) {
    if (!first) out += ',';
    first = false;
    if constexpr (is_map<T>::value) {
      write_text(out, item.first);
      out += ':';
      write_json(out, item.second);
    } else {
      write_json(out, item);
    }
  }
}

template <class T> void write_json(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, RawJson>) {
    write_raw(out, value.text);
  } else if constexpr (std::is_same_v<T, Amount>) {
    write_amount(out, value.text);
  } else if constexpr (is_optional<T>::value) {  // a value of a map: what is absent there is null
    if (value) write_json(out, *value);
    else out += "null";
  } else if constexpr (std::is_same_v<T, std::string>) {
    write_text(out, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    write_number(out, value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(value);
  } else if constexpr (is_vector<T>::value || is_map<T>::value) {
    out += is_map<T>::value ? '{' : '[';
    write_items(out, value);
    out += is_map<T>::value ? '}' : ']';
  } else {
    out += '{';
    Writer writer{out};
    fields(writer, const_cast<T&>(value));  // one field list serves reading and writing; the Writer only reads
    out += '}';
  }
}

inline bool wrong(Reading& reading, const std::string& where, std::string_view what) {
  if (reading.problems >= k_most_problems) return false;
  if (++reading.problems == 1) reading.pointer = where;
  else reading.problem += '\n';
  reading.problem += (where.empty() ? std::string("the document") : where) + std::string(what);
  return false;
}

struct Reader {
  const Json& object;
  const std::string& where;
  Reading& reading;
  bool ok = true;
  std::vector<std::string_view> known = {};  // when strict

  template <class T> void read(const char* name, T& member, bool required) {
    if (reading.strict) known.emplace_back(name);
    if (!ok && !reading.strict) return;
    const auto found = object.find(name);
    if (found == object.end() || (found->is_null() && !required)) {
      if (required) ok = wrong(reading, where + "/" + name, " is missing");
      return;
    }
    ok = from_json(*found, member, where + "/" + name, reading) && ok;
  }
  bool all_known() {
    bool all = true;
    for (const auto& [key, item] : object.items()) {
      if (reading.problems >= k_most_problems) return false;  // no more are told: their nearest names need not be looked for
      if (std::find(known.begin(), known.end(), key) == known.end()) all = wrong(reading, pointer_below(where, key), unknown_field(key, known));
    }
    return all;
  }
  template <class T> void operator()(const char* name, T& member) { read(name, member, true); }
  template <class T> void optional(const char* name, T& member) { read(name, member, false); }
};

template <class T> bool number_from_json(const Json& json, T& value, const std::string& where, Reading& reading) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return wrong(reading, where, " must be true or false");
    value = json.template get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) return wrong(reading, where, " must be a number");
    value = json.template get<T>();
  } else {
    if (!json.is_number_unsigned()) return wrong(reading, where, " must be a whole number, not negative");
    value = json.template get<T>();
  }
  return true;
}

template <class T> bool items_from_json(const Json& json, T& value, const std::string& where, Reading& reading) {
  value.clear();
  bool good = true;
  if constexpr (is_vector<T>::value) {
    if (!json.is_array()) return wrong(reading, where, " must be a list");
    for (const Json& item : json) {
      const std::string here = where + "/" + std::to_string(value.size());
      good = from_json(item, value.emplace_back(), here, reading) && good;
      if (!good && !reading.strict) return false;
    }
  } else {
    if (!json.is_object()) return wrong(reading, where, " must be a map");
    for (const auto& [key, item] : json.items()) {
      good = from_json(item, value[key], pointer_below(where, key), reading) && good;
      if (!good && !reading.strict) return false;
    }
  }
  return good;
}

template <class T> bool from_json(const Json& json, T& value, const std::string& where, Reading& reading) {
  if constexpr (std::is_same_v<T, RawJson>) {
    if (!json.is_object()) return wrong(reading, where, " must be a map");
    value.text = json.dump();
    return true;
  } else if constexpr (std::is_same_v<T, Amount>) {
    if (!json.is_string() && !json.is_number_unsigned()) return wrong(reading, where, " must be a number or text such as 10%");
    value.text = json.is_string() ? json.template get<std::string>() : json.dump();
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return wrong(reading, where, " must be text");
    value = json.template get_ref<const std::string&>();
    return true;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return number_from_json(json, value, where, reading);
  } else if constexpr (is_optional<T>::value) {
    if (json.is_null()) return value.reset(), true;
    return from_json(json, value.emplace(), where, reading);
  } else if constexpr (is_vector<T>::value || is_map<T>::value) {
    return items_from_json(json, value, where, reading);
  } else {
    if (!json.is_object()) return wrong(reading, where, " must be a map");
    Reader reader{json, where, reading};
    fields(reader, value);
    const bool known = !reading.strict || reader.all_known();
    return reader.ok && known;
  }
}

}  // namespace json_detail

// Compact text, members in the order of the field list. Bytes that are not UTF-8 are replaced, so that this cannot throw.
template <class T> std::string encode_json(const T& value) {
  std::string out;
  json_detail::write_json(out, value);
  return out;
}

template <class T> Result<T> decode_json(const Json& json, bool strict = false) {
  T value{};
  json_detail::Reading reading{strict};
  if (json_detail::from_json(json, value, "", reading)) return value;
  return pointing_to(std::move(reading.pointer), make_error(Errc::invalid, std::move(reading.problem)));
}

template <class T> Result<T> decode_json_text(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return json.error();
  return decode_json<T>(*json);
}

}  // namespace slipway::proto
