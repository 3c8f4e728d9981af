#pragma once
// Port: the pods of a node, for a drain. Threads, turns and errors as those of KubeApi.
#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct KubePod {
  std::string name_space;
  std::string name;
  std::string uid;         // tells it from one of the same name that comes after it
  std::string controller;  // kind of what makes it anew: "ReplicaSet", "DaemonSet"; empty: nothing does
  bool mirror = false;     // shows what the kubelet runs by a file of its own; it cannot be evicted
  bool ending = false;     // it has been asked to go
  bool finished = false;   // all its containers have ended for good
};

class KubePods {
 public:
  virtual ~KubePods() = default;
  // Each pod of the node once, in no order.
  virtual boost::asio::awaitable<Result<std::vector<KubePod>>> list_pods(std::string node) = 0;
  // Asks the pod to go. One that is gone is no error. Errc::too_many with the server's words while a PodDisruptionBudget forbids it:
  // ask again later. Errc::conflict when another pod has its name by now.
  virtual boost::asio::awaitable<Status> evict_pod(KubePod pod) = 0;
};

}  // namespace slipway
