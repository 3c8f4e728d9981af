#include "coordinator/kube/marks.hpp"

#include <algorithm>
#include <set>

namespace slipway::kube {

namespace {

using Names = std::set<std::string>;

std::vector<std::string> listed(const Names& names) {
  return {names.begin(), names.end()};
}

std::string id_of(const KubeTaint& taint) {
  return taint.key + ":" + taint.effect;
}

void plan_labels(const KubeNode& object, const WantedMarks& marks, const Names& ours, KubeMarks& change) {
  for (const auto& [key, value] : marks.wanted.labels) {
    const auto there = object.labels.find(key);
    if (there == object.labels.end() || there->second != value) change.labels[key] = value;
  }
  for (const std::string& key : ours) {
    if (marks.wanted.labels.count(key) == 0 && object.labels.count(key) != 0)
      change.labels[key] = std::nullopt;
  }
}

void plan_taints(const KubeNode& object, const WantedMarks& marks, const Names& ours, KubeMarks& change) {
  std::vector<KubeTaint> list;
  Names seen;
  for (const KubeTaint& taint : object.taints) {
    const auto wanted =
        std::find_if(marks.wanted.taints.begin(), marks.wanted.taints.end(),
                     [&taint](const proto::Taint& other) { return other.id() == id_of(taint); });
    if (wanted == marks.wanted.taints.end()) {
      if (ours.count(id_of(taint)) == 0) list.push_back(taint);
      continue;
    }
    seen.insert(id_of(taint));
    list.push_back(wanted->value == taint.value ? taint
                                                : KubeTaint{taint.key, wanted->value, taint.effect, ""});
  }
  for (const proto::Taint& taint : marks.wanted.taints) {
    if (seen.count(taint.id()) == 0) list.push_back({taint.key, taint.value, taint.effect, ""});
  }
  if (list != object.taints) change.taints = std::move(list);
}

}  // namespace

MarksPlan plan_marks(const KubeNode& object, const WantedMarks& marks) {
  Names labels(marks.applied_labels.begin(), marks.applied_labels.end());
  Names taints(marks.applied_taints.begin(), marks.applied_taints.end());
  KubeMarks change;
  plan_labels(object, marks, labels, change);
  plan_taints(object, marks, taints, change);
  change.resource_version = object.resource_version;
  MarksPlan plan;
  Names labels_after, taints_after;
  for (const auto& [key, value] : marks.wanted.labels) labels_after.insert(key);
  for (const proto::Taint& taint : marks.wanted.taints) taints_after.insert(taint.id());
  labels.insert(labels_after.begin(), labels_after.end());
  taints.insert(taints_after.begin(), taints_after.end());
  plan.labels_before = listed(labels);
  plan.taints_before = listed(taints);
  plan.labels_after = listed(labels_after);
  plan.taints_after = listed(taints_after);
  if (!change.labels.empty() || change.taints) plan.change = std::move(change);
  return plan;
}

}  // namespace slipway::kube
