#include "coordinator/api/node_filter.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::api {

std::span<const char* const> node_phases() {
  static constexpr const char* k_phases[] = {"Joining", "Installing", "Configuring", "Starting", "Running", "Degraded", "Replacing"};
  return k_phases;
}

Result<NodeFilter> NodeFilter::of(const http::Request& request) {
  NodeFilter filter;
  filter.role = http::query_parameter(request, "role").value_or("");
  if (!filter.role.empty() && filter.role != "node" && filter.role != "master")
    return parameter_error("role", " must be node or master");
  filter.phase = http::query_parameter(request, "phase").value_or("");
  const auto phases = node_phases();
  if (!filter.phase.empty() && std::find(phases.begin(), phases.end(), filter.phase) == phases.end())
    return parameter_error("phase", " must be one of " + join({phases.begin(), phases.end()}, ", "));
  auto selector = LabelSelector::parse(http::query_parameter(request, "labelSelector").value_or(""));
  if (!selector) {
    Error error = selector.error();
    error.parameter = "labelSelector";
    return error;
  }
  filter.selector = std::move(*selector);
  return filter;
}

Labels selectable_labels(const proto::NodeView& node) {
  Labels labels = node.labels;
  labels.emplace("name", node.name);
  labels.emplace("role", node.role);
  if (!node.pool.empty()) labels.emplace("pool", node.pool);
  return labels;
}

bool NodeFilter::matches(const proto::NodeView& node) const {
  return (role.empty() || node.role == role) && (phase.empty() || node.phase == phase) &&
         (selector.empty() || selector.matches(selectable_labels(node)));
}

Result<bool> wants_watch(const http::Request& request) {
  const auto text = http::query_parameter(request, "watch");
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return parameter_error("watch", " must be true or false");
}

}  // namespace slipway::api
