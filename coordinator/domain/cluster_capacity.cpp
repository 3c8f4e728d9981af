// What a cluster's ranges hold.
#include <algorithm>

#include "coordinator/domain/cluster_ranges.hpp"

namespace slipway {

std::uint64_t usable_pods(int node_prefix_length) {
  const std::uint64_t addresses = std::uint64_t{1} << (32 - node_prefix_length);
  return addresses < 3 ? 0 : addresses - 3;
}

proto::ClusterCapacity capacity_of(const ValidatedCluster& cluster) {
  proto::ClusterCapacity capacity;
  capacity.max_nodes = std::uint64_t{1} << (cluster.node_prefix_length - cluster.pod_cidr.prefix_length());
  capacity.pods_per_node = std::min(usable_pods(cluster.node_prefix_length), cluster.spec.kubelet.max_pods);
  capacity.services = cluster.service_cidr.address_count() - 2;
  return capacity;
}

std::string capacity_report(const ValidatedCluster& cluster) {
  const proto::ClusterCapacity capacity = capacity_of(cluster);
  const std::uint64_t addresses = usable_pods(cluster.node_prefix_length);
  std::string text = "pods: " + cut_text(cluster.pod_cidr, cluster.node_prefix_length) + " (2^(" +
                     std::to_string(cluster.node_prefix_length) + "-" + std::to_string(cluster.pod_cidr.prefix_length()) +
                     ") blocks of 2^(32-" + std::to_string(cluster.node_prefix_length) +
                     ") addresses, less network, gateway and broadcast); kubelet runs at most " +
                     std::to_string(cluster.spec.kubelet.max_pods) + " on a node, " +
                     std::to_string(capacity.max_nodes * capacity.pods_per_node) + " in all\n";
  if (addresses < 2 * cluster.spec.kubelet.max_pods) {
    text += "  note: fewer than two addresses for each pod; freed ones will be used again at once\n";
  }
  text += "services: " + cluster.service_cidr.to_string() + " holds " + std::to_string(capacity.services) +
          "; kubernetes is " + cluster.service_cidr.at(1).to_string() + ", DNS " + cluster.dns_ip.to_string() + "\n";
  text += "API server: " + cluster.spec.api_server.endpoint + "\n";
  return text;
}

std::string cut_text(const Cidr& pods, int length) {
  return pods.to_string() + " cut in " + "/" + std::to_string(length) + " holds " +
         std::to_string(std::uint64_t{1} << (length - pods.prefix_length())) + " nodes with " +
         std::to_string(usable_pods(length)) + " pods each";
}

}  // namespace slipway
