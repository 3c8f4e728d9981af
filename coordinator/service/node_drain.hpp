#pragma once
// Cordon and drain, by kube-apiserver. A drain is done in steps that each ask once for what is still there: nothing of it is kept
// here, so that a step may be repeated, left off, or taken up after a restart of the coordinator. State thread.
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "common/async/clock.hpp"
#include "common/async/notifier.hpp"
#include "coordinator/ports/kube_api.hpp"
#include "coordinator/ports/kube_pods.hpp"
#include "proto/drain.hpp"

namespace slipway {

struct DrainStep {
  proto::DrainReport report;
  std::vector<std::string> evicted;  // "namespace/name" of what this step asked to go
};

class NodeDrain {
 public:
  // The ports are this object's alone; callers take turns.
  NodeDrain(KubeApi& nodes, KubePods& pods, const Clock& clock);

  // Errors as of KubeApi::set_unschedulable; Errc::unavailable too while others' turns take long.
  boost::asio::awaitable<Status> set_unschedulable(std::string name, bool unschedulable);
  // Lists the node's pods and asks those to go that may: all but those of DaemonSets and the kubelet's own; one that nothing
  // would make anew only with `force`. Ends in about 15 s, done or not.
  boost::asio::awaitable<Result<DrainStep>> step(std::string name, bool force);

 private:
  struct Turns {
    bool taken = false;
    Notifier freed;
  };
  // Gives the turn back at its end, also when the coroutine that holds it is dropped.
  class Turn;
  boost::asio::awaitable<Status> take_turn();
  boost::asio::awaitable<Result<DrainStep>> look_and_evict(std::string name, bool force);
  boost::asio::awaitable<Result<proto::DrainPod>> evict(KubePod pod);

  KubeApi& nodes_;
  KubePods& pods_;
  const Clock& clock_;
  std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();  // outlives us with who waits
};

}  // namespace slipway
