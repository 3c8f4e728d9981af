#include "agent/service/agent_state.hpp"

#include <algorithm>

namespace slipway {

WallTime rotation_mark(const std::optional<proto::DesiredState>& desired, const std::optional<NodeIdentity>& identity) {
  if (!desired || !identity) return {};
  const auto self = std::find_if(desired->nodes.begin(), desired->nodes.end(),
                                 [&](const proto::PeerNode& node) { return node.uid == identity->node_uid; });
  if (self == desired->nodes.end() || !self->renew_before) return {};
  return parse_rfc3339(*self->renew_before).value_or(WallTime{});
}

}  // namespace slipway
