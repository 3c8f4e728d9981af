#include "coordinator/api/node_filter.hpp"

namespace slipway::api {

Result<NodeFilter> NodeFilter::of(const http::Request& request) {
  NodeFilter filter;
  filter.role = http::query_parameter(request, "role").value_or("");
  if (!filter.role.empty() && filter.role != "node" && filter.role != "master")
    return make_error(Errc::invalid, "role must be node or master");
  filter.phase = http::query_parameter(request, "phase").value_or("");
  auto selector = LabelSelector::parse(http::query_parameter(request, "labelSelector").value_or(""));
  if (!selector) return selector.error();
  filter.selector = std::move(*selector);
  return filter;
}

bool NodeFilter::matches(const proto::NodeView& node) const {
  return (role.empty() || node.role == role) && (phase.empty() || node.phase == phase) &&
         selector.matches(node.labels);
}

Result<bool> wants_watch(const http::Request& request) {
  const auto text = http::query_parameter(request, "watch");
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return make_error(Errc::invalid, "watch must be true or false");
}

}  // namespace slipway::api
