#include "coordinator/domain/label_selector.hpp"

#include <algorithm>
#include <optional>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_requirements = 32;
constexpr std::size_t k_max_values = 64;
constexpr std::size_t k_max_text = 4096;

Error wrong(std::string_view part, std::string_view why) {
  return make_error(Errc::invalid, "label selector: \"" + std::string(part.substr(0, 64)) + "\" " + std::string(why) +
                                       " (examples: role=master, arch in (amd64, arm64), !draining)");
}

bool is_word(std::string_view text) {
  const auto alnum = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || text.size() > 63 || !alnum(text.front()) || !alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

// [prefix/]name, the prefix a DNS subdomain.
bool is_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_word(text);
  return is_dns_subdomain(text.substr(0, slash)) && is_word(text.substr(slash + 1));
}

bool is_value(std::string_view text) { return text.empty() || is_word(text); }

// At commas outside of parentheses.
std::optional<std::vector<std::string_view>> split_requirements(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') {
      if (inside) return std::nullopt;
      inside = true;
    } else if (text[i] == ')') {
      if (!inside) return std::nullopt;
      inside = false;
    } else if (text[i] == ',' && !inside) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  if (inside) return std::nullopt;
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  if (trim(text).empty()) return selector;
  if (text.size() > k_max_text) return make_error(Errc::invalid, "label selector: longer than 4096 characters");
  const auto parts = split_requirements(text);
  if (!parts) return wrong(text, "has parentheses that do not match");
  if (parts->size() > k_max_requirements) return make_error(Errc::invalid, "label selector: more than 32 requirements");
  for (const std::string_view part : *parts) {
    auto requirement = parse_one(trim(part));
    if (!requirement) return requirement.error();
    selector.requirements_.push_back(std::move(*requirement));
  }
  return selector;
}

Result<LabelSelector::Requirement> LabelSelector::parse_set(std::string_view key, Operator op, std::string_view values) {
  Requirement requirement{std::string(key), op, {}};
  if (!is_key(key)) return wrong(key, "is not a label's name");
  for (const std::string_view value : split(values, ',')) {
    if (!is_value(trim(value))) return wrong(value, "is not a label's value");
    requirement.values.emplace_back(trim(value));
  }
  if (requirement.values.size() > k_max_values) return wrong(key, "is compared with more than 64 values");
  return requirement;
}

Result<LabelSelector::Requirement> LabelSelector::parse_one(std::string_view text) {
  if (text.ends_with(')')) {
    const std::size_t open = text.find('(');
    const std::string_view head = trim(text.substr(0, open));
    const std::size_t space = head.find_last_of(" \t");
    const std::string_view word = space == std::string_view::npos ? head : head.substr(space + 1);
    if (space == std::string_view::npos || (word != "in" && word != "notin")) return wrong(text, "needs \"in\" or \"notin\" before the list");
    return parse_set(trim(head.substr(0, space)), word == "in" ? Operator::in : Operator::not_in,
                     text.substr(open + 1, text.size() - open - 2));
  }
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    const bool negative = equals > 0 && text[equals - 1] == '!';
    const std::size_t value = equals + (text.substr(equals).starts_with("==") ? 2 : 1);
    const std::string_view key = trim(text.substr(0, negative ? equals - 1 : equals));
    if (text.substr(value).find(',') != std::string_view::npos) return wrong(text, "has a list without parentheses");
    return parse_set(key, negative ? Operator::not_in : Operator::in, text.substr(value));
  }
  const bool absent = text.starts_with('!');
  const std::string_view key = trim(absent ? text.substr(1) : text);
  if (!is_key(key)) return wrong(text, "is not a label's name");
  return Requirement{std::string(key), absent ? Operator::absent : Operator::exists, {}};
}

bool LabelSelector::matches(const Labels& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&labels](const Requirement& requirement) {
    const auto label = labels.find(requirement.key);
    const bool there = label != labels.end();
    const auto& values = requirement.values;
    const bool listed = there && std::find(values.begin(), values.end(), label->second) != values.end();
    switch (requirement.op) {
      case Operator::in: return listed;
      case Operator::not_in: return !listed;
      case Operator::exists: return there;
      case Operator::absent: return !there;
    }
    return false;
  });
}

}  // namespace slipway
