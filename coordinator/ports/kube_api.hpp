#pragma once
// Port: what the coordinator needs of kube-apiserver. Used on one executor's thread, one call at a time.
// Errors of every call: Errc::unavailable while kube-apiserver is away or cannot answer now, Errc::timeout when it does not
// answer in time, Errc::denied when it does not know our credentials or access is not set up, Errc::corrupt or
// Errc::exhausted for answers that make no sense, Errc::invalid for a name that no node can have (RFC 1123 subdomain).
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct KubeTaint {
  std::string key, value, effect;
  std::string time_added;  // as kube-apiserver wrote it; empty: none
  bool operator==(const KubeTaint&) const = default;
};

struct KubeNode {
  std::string name;
  std::vector<std::string> pod_cidrs;  // as they stand in the object; empty: none yet
  bool unschedulable = false;          // no new pods come to it
  std::map<std::string, std::string> labels = {};
  std::vector<KubeTaint> taints = {};
  std::string resource_version = {};  // changes with the object
};

// What is to change of a Node object's labels and taints.
struct KubeMarks {
  std::map<std::string, std::optional<std::string>> labels;  // absent value: the label goes
  std::optional<std::vector<KubeTaint>> taints;              // all of them
  std::string resource_version;                              // of the object that was looked at
};

class KubeApi {
 public:
  virtual ~KubeApi() = default;
  // Roles and bindings that our own access and kube-apiserver's way to the kubelets need: made, or mended where somebody
  // changed them. Idempotent. Once a fresh access is given the other calls are let through.
  virtual boost::asio::awaitable<Status> ensure_access() = 0;
  // Each node once, in no order.
  virtual boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() = 0;
  // Errc::not_found while its kubelet has not registered it.
  virtual boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) = 0;
  // Writes spec.podCIDR and spec.podCIDRs. Errc::conflict when another block stands there: the fields cannot be changed. The
  // same block again is no error. Errc::not_found as above.
  // `second`: the block of the other family; kube-apiserver keeps it only where dual stack is on.
  virtual boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr, std::optional<Cidr> second = {}) = 0;
  // Writes spec.unschedulable. As it is already: no error. Errc::not_found as above.
  virtual boost::asio::awaitable<Status> set_unschedulable(std::string name, bool unschedulable) = 0;
  // Errc::conflict when the object has changed since it was looked at; Errc::not_found as above.
  virtual boost::asio::awaitable<Status> set_marks(std::string name, KubeMarks marks) = 0;
  // Absent is no error.
  virtual boost::asio::awaitable<Status> delete_node(std::string name) = 0;
};

}  // namespace slipway
