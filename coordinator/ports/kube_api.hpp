#pragma once
// Port: what the coordinator needs of kube-apiserver. Used on one executor's thread.
#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct KubeNode {
  std::string name;
  std::vector<std::string> pod_cidrs;  // as they stand in the object; empty: none yet
};

class KubeApi {
 public:
  virtual ~KubeApi() = default;
  // Roles and bindings that our own access and kube-apiserver's way to the kubelets need. Idempotent.
  virtual boost::asio::awaitable<Status> ensure_access() = 0;
  virtual boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() = 0;
  // Errc::not_found while its kubelet has not registered it.
  virtual boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) = 0;
  // Writes spec.podCIDR and spec.podCIDRs; only for nodes that have none (the fields cannot be changed).
  virtual boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr) = 0;
  // Absent is no error.
  virtual boost::asio::awaitable<Status> delete_node(std::string name) = 0;
};

}  // namespace slipway
