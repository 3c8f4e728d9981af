#pragma once
// The JSON side of field lists. Includes nlohmann/json.hpp: for codec.cpp and the stores' record files only.
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

template <class T> Json to_json(const T& value);
template <class T> bool from_json(const Json& json, T& value, const std::string& where, std::string& problem);

struct Writer {
  Json object = Json::object();
  template <class T> void operator()(const char* name, T& member) { object[name] = to_json(member); }
  template <class T> void optional(const char* name, T& member) {
    if constexpr (is_optional<T>::value) {
      if (member) object[name] = to_json(*member);
    } else {
      object[name] = to_json(member);
    }
  }
};

template <class T> Json to_json(const T& value) {
  if constexpr (std::is_same_v<T, RawJson>) {
    Json parsed = Json::parse(value.text, nullptr, false);
    return parsed.is_discarded() ? Json::object() : parsed;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return Json(value);
  } else if constexpr (is_vector<T>::value) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(to_json(item));
    return array;
  } else if constexpr (is_map<T>::value) {
    Json object = Json::object();
    for (const auto& [key, item] : value) object[key] = to_json(item);
    return object;
  } else {
    Writer writer;
    fields(writer, const_cast<T&>(value));  // one field list serves reading and writing; the Writer only reads
    return std::move(writer.object);
  }
}

inline bool wrong(std::string& problem, const std::string& where, const char* expected) {
  problem = (where.empty() ? std::string("the document") : where) + " must be " + expected;
  return false;
}

struct Reader {
  const Json& object;
  const std::string& where;
  std::string& problem;
  bool ok = true;

  template <class T> void read(const char* name, T& member, bool required) {
    if (!ok) return;
    const auto found = object.find(name);
    if (found == object.end() || (found->is_null() && !required)) {
      if (required) {
        problem = where + "/" + name + " is missing";
        ok = false;
      }
      return;
    }
    ok = from_json(*found, member, where + "/" + name, problem);
  }
  template <class T> void operator()(const char* name, T& member) { read(name, member, true); }
  template <class T> void optional(const char* name, T& member) { read(name, member, false); }
};

template <class T> bool number_from_json(const Json& json, T& value, const std::string& where, std::string& problem) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return wrong(problem, where, "true or false");
    value = json.template get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) return wrong(problem, where, "a number");
    value = json.template get<T>();
  } else {
    if (!json.is_number_unsigned()) return wrong(problem, where, "a whole number, not negative");
    value = json.template get<T>();
  }
  return true;
}

template <class T> bool items_from_json(const Json& json, T& value, const std::string& where, std::string& problem) {
  value.clear();
  if constexpr (is_vector<T>::value) {
    if (!json.is_array()) return wrong(problem, where, "a list");
    for (const Json& item : json) {
      const std::string here = where + "/" + std::to_string(value.size());
      if (!from_json(item, value.emplace_back(), here, problem)) return false;
    }
  } else {
    if (!json.is_object()) return wrong(problem, where, "a map");
    for (const auto& [key, item] : json.items()) {
      if (!from_json(item, value[key], where + "/" + key, problem)) return false;
    }
  }
  return true;
}

template <class T> bool from_json(const Json& json, T& value, const std::string& where, std::string& problem) {
  if constexpr (std::is_same_v<T, RawJson>) {
    if (!json.is_object()) return wrong(problem, where, "a map");
    value.text = json.dump();
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return wrong(problem, where, "text");
    value = json.template get_ref<const std::string&>();
    return true;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return number_from_json(json, value, where, problem);
  } else if constexpr (is_optional<T>::value) {
    return from_json(json, value.emplace(), where, problem);
  } else if constexpr (is_vector<T>::value || is_map<T>::value) {
    return items_from_json(json, value, where, problem);
  } else {
    if (!json.is_object()) return wrong(problem, where, "a map");
    Reader reader{json, where, problem};
    fields(reader, value);
    return reader.ok;
  }
}

}  // namespace json_detail

// Compact text. Bytes that are not UTF-8 are replaced, so that this cannot throw.
template <class T> std::string encode_json(const T& value) {
  return json_detail::to_json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T> Result<T> decode_json(const Json& json) {
  T value{};
  std::string problem;
  if (!json_detail::from_json(json, value, "", problem)) return make_error(Errc::invalid, std::move(problem));
  return value;
}

template <class T> Result<T> decode_json_text(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return json.error();
  return decode_json<T>(*json);
}

}  // namespace slipway::proto
