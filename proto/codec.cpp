#include "proto/codec.hpp"

#include "common/core/nearest.hpp"
#include "proto/json_fields.hpp"

namespace slipway::proto {

namespace {

constexpr int k_max_depth = 32;

// Looks for duplicate keys, which the DOM would hide. A reading of its own: the library's callbacks, which could see them on the way, search all members
// of a list again at the end of each (nlohmann 3.11, json_sax_dom_callback_parser::end_object), so that a megabyte of {},{},... would take minutes.
class KeyWatch final : public nlohmann::json_sax<Json> {
 public:
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool key(std::string& name) override {
    if (keys_.back().insert(name).second) return true;
    problem_ = "the key \"" + name.substr(0, 64) + "\" stands twice in one map";
    return false;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }
  // Empty: none, or the text is no JSON.
  const std::string& problem() const { return problem_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

// Depth is checked before the recursive parser sees the text: its stack is not ours to bound.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > k_max_depth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Says what a field list contains.
struct Describer {
  std::vector<FieldInfo> found;

  template <class T> static std::string kind(const T*) {
    if constexpr (std::is_same_v<T, bool>) return "boolean";
    else if constexpr (std::is_integral_v<T>) return "integer";
    else if constexpr (std::is_floating_point_v<T>) return "number";
    else if constexpr (std::is_same_v<T, std::string>) return "string";
    else if constexpr (std::is_same_v<T, Amount>) return "integer|string";
    else if constexpr (json_detail::is_vector<T>::value) return "array";
    else if constexpr (json_detail::is_map<T>::value || std::is_same_v<T, RawJson>) return "object";
    else return name_of(static_cast<const T*>(nullptr));
  }
#define SLIPWAY_NAME(T) \
  static std::string name_of(const T*) { return #T; }
  SLIPWAY_WIRE_TYPES(SLIPWAY_NAME)
  SLIPWAY_FILE_TYPES(SLIPWAY_NAME)
#undef SLIPWAY_NAME

  template <class T> void operator()(const char* name, T&) { found.push_back({name, true, kind(static_cast<T*>(nullptr))}); }
  template <class T> void optional(const char* name, T&) {
    if constexpr (json_detail::is_optional<T>::value) {
      found.push_back({name, false, kind(static_cast<typename T::value_type*>(nullptr))});
    } else {
      found.push_back({name, false, kind(static_cast<T*>(nullptr))});
    }
  }
};

}  // namespace

namespace json_detail {

std::string unknown_field(std::string_view key, const std::vector<std::string_view>& known) {
  constexpr std::size_t k_few = 12;
  std::string text = " is not a field that is known here";
  if (const auto meant = nearest_name(key, known)) return text + "; did you mean " + std::string(*meant) + "?";
  if (known.empty() || known.size() > k_few) return text;
  for (const std::string_view name : known) text += (name == known.front() ? ": there are " : ", ") + std::string(name);
  return text;
}

void write_text(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  out += '"';
  for (const char c : text) {
    if (c == '\n') {  // PEM is full of them
      out += "\\n";
    } else if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out.resize(start);
      out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
      return;
    }
  }
  out += '"';
}

void write_raw(std::string& out, const std::string& text) {
  const Json parsed = Json::parse(text, nullptr, false);
  out += parsed.is_discarded() ? "{}" : parsed.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write_number(std::string& out, double value) { out += Json(value).dump(); }

void write_amount(std::string& out, const std::string& text) {
  const bool number = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos && (text.front() != '0' || text.size() == 1);
  if (number) out += text;
  else write_text(out, text);
}

}  // namespace json_detail

Result<Json> parse_json(std::string_view text) {
  if (too_deep(text)) return make_error(Errc::invalid, "the document is nested too deeply");
  KeyWatch watch;
  const bool read = Json::sax_parse(text.begin(), text.end(), &watch);
  if (!watch.problem().empty()) return make_error(Errc::invalid, watch.problem());
  if (!read) return make_error(Errc::invalid, "not valid JSON");
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) return make_error(Errc::invalid, "not valid JSON");
  return json;
}

template <class T> Result<T> decode(std::string_view text) { return decode_json_text<T>(text); }

template <class T> Result<T> decode_strict(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return json.error();
  return decode_json<T>(*json, true);
}

template <class T> std::string encode(const T& value) { return encode_json(value); }

template <class T> std::vector<FieldInfo> describe() {
  Describer describer;
  T value{};
  fields(describer, value);
  return std::move(describer.found);
}

std::string pretty(std::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  return json.is_discarded() ? std::string(text) : json.dump(2, ' ', false, Json::error_handler_t::replace);
}

#define SLIPWAY_INSTANTIATE(T)                              \
  template Result<T> decode<T>(std::string_view);           \
  template Result<T> decode_strict<T>(std::string_view);    \
  template std::string encode<T>(const T&);                 \
  template std::vector<FieldInfo> describe<T>();
SLIPWAY_WIRE_TYPES(SLIPWAY_INSTANTIATE)
SLIPWAY_FILE_TYPES(SLIPWAY_INSTANTIATE)
#undef SLIPWAY_INSTANTIATE

}  // namespace slipway::proto
