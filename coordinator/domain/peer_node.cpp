#include "coordinator/domain/peer_node.hpp"

namespace slipway {

proto::PeerNode peer_node(const Node& node) {
  proto::PeerNode peer{node.name, node.uid, node.generation, std::string(to_string(node.role)), node.address.to_string(), node.pod_cidr.to_string()};
  if (node.second_pod_cidr) peer.second_pod_cidr = node.second_pod_cidr->to_string();
  if (node.renew_before != WallTime{}) peer.renew_before = to_rfc3339(node.renew_before);
  return peer;
}

bool same_to_agents(const Node& before, const Node& after) {
  return peer_node(before) == peer_node(after) && before.extras.get().settings == after.extras.get().settings;
}

}  // namespace slipway
