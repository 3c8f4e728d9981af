#pragma once
// Kubernetes' label selectors: "role=master,arch in (amd64, arm64),!draining". Pure.
// Grammar: k8s.io/apimachinery pkg/labels/selector.go, as documented under "Labels and Selectors"; equality (=, ==, !=), sets
// (in, notin) and existence (key, !key), joined by commas that mean "and". gt and lt are left out.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

using Labels = std::map<std::string, std::string>;

class LabelSelector {
 public:
  // The empty text selects everything. Errc::invalid names the part that is wrong. At most 32 requirements of 64 values.
  static Result<LabelSelector> parse(std::string_view text);
  // As Kubernetes has it: != and notin are also true of what lacks the key.
  bool matches(const Labels& labels) const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Operator { in, not_in, exists, absent };
  struct Requirement {
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;
  };
  static Result<Requirement> parse_one(std::string_view text);
  static Result<Requirement> parse_set(std::string_view key, Operator op, std::string_view values);
  std::vector<Requirement> requirements_;
};

}  // namespace slipway
