#pragma once
// kube-apiserver as a map of Node objects, and of pods.
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/ports/kube_api.hpp"
#include "coordinator/ports/kube_pods.hpp"

namespace slipway::test {

class FakeKubeApi final : public KubeApi, public KubePods {
 public:
  boost::asio::awaitable<Status> ensure_access() override;
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override;
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) override;
  boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr,
                                              std::optional<Cidr> second) override;
  boost::asio::awaitable<Status> set_unschedulable(std::string name, bool unschedulable) override;
  boost::asio::awaitable<Status> set_marks(std::string name, KubeMarks marks) override;
  boost::asio::awaitable<Status> delete_node(std::string name) override;
  boost::asio::awaitable<Result<std::vector<KubePod>>> list_pods(std::string node) override;
  boost::asio::awaitable<Status> evict_pod(KubePod pod) override;

  bool away = false;
  bool credentials_known = true;
  bool access = false;  // until ensure_access()
  bool dual_stack = true;  // false: drops the second one, as kube-apiserver 1.20 does by default
  std::map<std::string, std::vector<std::string>> objects;  // name -> podCIDRs
  std::vector<std::string> deleted;
  std::set<std::string> unschedulable;
  std::map<std::string, std::map<std::string, std::string>> labels;  // by node
  std::map<std::string, std::vector<KubeTaint>> taints;
  std::map<std::string, int> versions;  // of the objects' labels and taints
  int mark_calls = 0;
  struct Pod {
    std::string node;
    KubePod pod;
    int blocked = 0;  // tries that a PodDisruptionBudget refuses; -1: all
    bool gone_at_once = true;  // false: it is ending until somebody takes it away
  };
  std::vector<Pod> pods;
  std::vector<std::string> evicted;  // "namespace/name"
  int access_calls = 0;
  int list_calls = 0;
  int get_calls = 0;

 private:
  KubeNode node_of(const std::string& name);
  Status let_through(const std::string* name = nullptr) const;
  static Error denied();
  static Error gone();
};

}  // namespace slipway::test
