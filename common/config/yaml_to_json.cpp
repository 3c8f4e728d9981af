#include "common/config/yaml_to_json.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "common/config/scalar.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_text_bytes = 1024 * 1024;
constexpr std::size_t k_max_values = 100'000;
constexpr std::size_t k_max_levels = 64;
constexpr std::size_t k_max_pointer = 512;

// Leaves the parser's callbacks; caught in yaml_to_json and nowhere else.
struct Refusal {
  YAML::Mark mark;
  std::string why;
};

[[noreturn]] void refuse(const YAML::Mark& mark, std::string why) { throw Refusal{mark, std::move(why)}; }

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

Json integer(const YAML::Mark& mark, std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 10;
  if (base != 10) text.remove_prefix(2);
  if (const auto value = number<std::int64_t>(text, base)) return *value;
  if (const auto value = number<std::uint64_t>(text, base)) return *value;
  refuse(mark, "number " + std::string(text.substr(0, 40)) + " is too large; quote it if it is meant as text");
}

Json real(const YAML::Mark& mark, std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) refuse(mark, "number " + std::string(text.substr(0, 40)) + " is out of range");
  return value;
}

Json plain_scalar(const YAML::Mark& mark, const std::string& text) {
  switch (classify_scalar(text)) {
    case ScalarKind::null: return nullptr;
    case ScalarKind::boolean: return text[0] == 't' || text[0] == 'T';
    case ScalarKind::integer: return integer(mark, text);
    case ScalarKind::real: return real(mark, text);
    case ScalarKind::not_finite: refuse(mark, text + " is no number that JSON can hold");
    case ScalarKind::text: break;
  }
  return text;
}

// What a copy of `value` costs: values, long texts counting as several.
std::size_t count_values(const Json& value) {
  constexpr std::size_t k_text_unit = 64;
  std::size_t count = 1;
  if (value.is_string()) count += value.get_ref<const std::string&>().size() / k_text_unit;
  if (value.is_array()) {
    for (const Json& item : value) count += count_values(item);
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) count += count_values(item) + key.size() / k_text_unit;
  }
  return count;
}

std::size_t levels(const Json& value) {
  std::size_t deepest = 0;
  if (value.is_structured()) {
    for (const Json& item : value) deepest = std::max(deepest, levels(item) + 1);
  }
  return deepest;
}

// Builds one value from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view origin) : places(std::string(origin)), origin_(origin) {}

  Json result;
  Places places;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) refuse(mark, "a second document starts here; one file holds one");
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) refuse(mark, "a key is missing");
    add(mark, anchor, nullptr);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    check_tag(mark, tag);
    if (expects_key()) return take_key(mark, anchor, value, tag == "?");
    add(mark, anchor, tag == "?" ? plain_scalar(mark, value) : Json(value));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) refuse(mark, "an alias cannot be a key");
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) refuse(mark, "an alias within the very value it stands for");
    // Counted before it is copied: aliases of aliases grow without end otherwise.
    take_values(mark, known->second.values);
    if (stack_.size() + known->second.levels > k_max_levels) refuse_depth(mark);
    note_entry(mark);
    place(mark, Json(known->second.value));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Json value;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::optional<std::string> pointer;
    std::optional<std::string> key;
  };
  struct Anchored {
    Json value;
    std::size_t values = 0;
    std::size_t levels = 0;
  };

  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags are not supported: " + tag.substr(0, 60));
  }
  [[noreturn]] static void refuse_depth(const YAML::Mark& mark) {
    refuse(mark, "more than " + std::to_string(k_max_levels) + " levels");
  }
  bool expects_key() const { return !stack_.empty() && stack_.back().value.is_object() && !stack_.back().key; }

  void take_key(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& key, bool plain) {
    if (plain && key == "<<") refuse(mark, "merge keys (<<) are not supported");
    if (anchor != 0) refuse(mark, "a key cannot have an anchor");
    if (stack_.back().value.contains(key)) refuse(mark, "key " + key.substr(0, 100) + " is there twice");
    stack_.back().key = key;
    note(mark);
  }

  // To the value that comes next; absent where the way is longer than any field's: long keys above many entries would fill the memory.
  std::optional<std::string> pointer() const {
    if (stack_.empty()) return std::string();
    const Frame& top = stack_.back();
    if (!top.pointer || (top.key && top.key->size() > k_max_pointer)) return std::nullopt;
    std::string below = pointer_below(*top.pointer, top.key ? *top.key : std::to_string(top.value.size()));
    if (below.size() > k_max_pointer) return std::nullopt;
    return below;
  }
  void note(const YAML::Mark& mark) {
    if (auto here = pointer()) places.set(std::move(*here), {origin_, mark.line + 1, mark.column + 1});
  }
  // Fields are where their keys are, entries of lists have none.
  void note_entry(const YAML::Mark& mark) {
    if (!stack_.empty() && stack_.back().value.is_array()) note(mark);
  }

  void take_values(const YAML::Mark& mark, std::size_t count) {
    values_ += count;
    if (values_ > k_max_values) refuse(mark, "more than " + std::to_string(k_max_values) + " values");
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, Json value) {
    take_values(mark, 1);
    if (anchor != 0) remember(anchor, value);
    note_entry(mark);
    place(mark, std::move(value));
  }

  void remember(YAML::anchor_t anchor, const Json& value) { anchors_[anchor] = {value, count_values(value), levels(value)}; }

  void place(const YAML::Mark&, Json value) {
    if (stack_.empty()) {
      result = std::move(value);
      return;
    }
    Frame& top = stack_.back();
    if (top.value.is_array()) {
      top.value.push_back(std::move(value));
    } else {
      top.value.emplace(std::move(*top.key), std::move(value));
      top.key.reset();
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Json value) {
    check_tag(mark, tag);
    if (expects_key()) refuse(mark, "a key must be a scalar");
    if (stack_.size() >= k_max_levels) refuse_depth(mark);
    take_values(mark, 1);
    note_entry(mark);
    auto here = pointer();
    stack_.push_back({std::move(value), anchor, mark, std::move(here), std::nullopt});
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (frame.anchor != 0) remember(frame.anchor, frame.value);
    place(frame.mark, std::move(frame.value));
  }

  std::string origin_;
  bool started_ = false;
  std::size_t values_ = 0;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
};

Error at_mark(std::string_view origin, const YAML::Mark& mark, const std::string& why) {
  const std::string place = mark.is_null() ? std::string() : ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  return make_error(Errc::invalid, std::string(origin) + place + ": " + why);
}

}  // namespace

Result<YamlText> read_yaml(std::string_view yaml, std::string_view origin) {
  const YAML::Mark nowhere = YAML::Mark::null_mark();
  if (yaml.size() > k_max_text_bytes) return at_mark(origin, nowhere, "larger than 1 MiB");
  if (yaml.find('\0') != std::string_view::npos) return at_mark(origin, nowhere, "has NUL characters: not a YAML text in UTF-8");
  try {
    std::istringstream input{std::string(yaml)};
    YAML::Parser parser(input);
    Builder builder(origin);
    while (parser.HandleNextDocument(builder)) {
    }
    return YamlText{builder.result.dump(), std::move(builder.places)};
  } catch (const Refusal& refusal) {
    return at_mark(origin, refusal.mark, refusal.why);
  } catch (const YAML::Exception& e) {
    return at_mark(origin, e.mark, e.msg);
  } catch (const Json::exception&) {
    return at_mark(origin, nowhere, "not valid UTF-8");
  }
}

Result<std::string> yaml_to_json(std::string_view yaml, std::string_view origin) {
  auto text = read_yaml(yaml, origin);
  if (!text) return text.error();
  return std::move(text->json);
}

}  // namespace slipway
