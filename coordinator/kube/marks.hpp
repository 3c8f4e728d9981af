#pragma once
// Which labels and taints of a Node object are to change. Pure.
#include <string>
#include <vector>

#include "coordinator/domain/node_overrides.hpp"
#include "coordinator/ports/kube_api.hpp"

namespace slipway::kube {

// What the state says of a node's labels and taints.
struct WantedMarks {
  NodeMarks wanted;
  std::vector<std::string> applied_labels;  // keys that are ours, or were about to be
  std::vector<std::string> applied_taints;  // "key:Effect"
};

struct MarksPlan {
  std::optional<KubeMarks> change;  // absent: the object is as wanted
  // To be recorded before the change: all that may then be ours; and after it: what is.
  std::vector<std::string> labels_before, taints_before, labels_after, taints_after;
};

// What others have set is left alone, unless it is a label or taint that we want.
MarksPlan plan_marks(const KubeNode& object, const WantedMarks& marks);

}  // namespace slipway::kube
