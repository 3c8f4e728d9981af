#pragma once
// Which nodes a list or a watch is about: ?role=, ?phase=, ?labelSelector=. Pure.
#include <span>
#include <string>

#include "common/core/result.hpp"
#include "common/http/message.hpp"
#include "coordinator/domain/label_selector.hpp"
#include "proto/view_types.hpp"

namespace slipway::api {

// What ?phase= may be: the agents' words and Replacing.
std::span<const char* const> node_phases();

// What ?labelSelector= looks at: the node's labels, and its name, role and pool under these short names where it has no label of that name.
Labels selectable_labels(const proto::NodeView& node);

struct NodeFilter {
  std::string role;   // empty: any
  std::string phase;  // empty: any
  LabelSelector selector;

  // Errc::invalid names the parameter.
  static Result<NodeFilter> of(const http::Request& request);
  bool matches(const proto::NodeView& node) const;
};

// ?watch=: true or false, absent means false.
Result<bool> wants_watch(const http::Request& request);

}  // namespace slipway::api
