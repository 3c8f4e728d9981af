#include "tests/support/fake_kube_api.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::test {

boost::asio::awaitable<Status> FakeKubeApi::ensure_access() {
  if (away) co_return gone();
  if (!credentials_known) co_return denied();
  ++access_calls;
  access = true;
  co_return Status{};
}

boost::asio::awaitable<Result<std::vector<KubeNode>>> FakeKubeApi::list_nodes() {
  const Status let = let_through();
  if (!let) co_return let.error();
  std::vector<KubeNode> list;
  for (const auto& [name, cidrs] : objects) list.push_back(node_of(name));
  ++list_calls;
  co_return list;
}

boost::asio::awaitable<Result<KubeNode>> FakeKubeApi::get_node(std::string name) {
  const Status let = let_through(&name);
  if (!let) co_return let.error();
  ++get_calls;
  const auto found = objects.find(name);
  if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
  co_return node_of(name);
}

KubeNode FakeKubeApi::node_of(const std::string& name) {
  return {name, objects[name], unschedulable.count(name) != 0, labels[name], taints[name], std::to_string(versions[name] + 1)};
}

boost::asio::awaitable<Status> FakeKubeApi::set_marks(std::string name, KubeMarks marks) {
  const Status let = let_through(&name);
  if (!let) co_return let.error();
  if (objects.count(name) == 0) co_return make_error(Errc::not_found, "no such Node");
  if (!marks.resource_version.empty() && marks.resource_version != std::to_string(versions[name] + 1))
    co_return make_error(Errc::conflict, "the object has been modified");
  ++mark_calls;
  ++versions[name];
  for (const auto& [key, value] : marks.labels) {
    if (value) labels[name][key] = *value;
    else labels[name].erase(key);
  }
  if (marks.taints) taints[name] = *marks.taints;
  co_return Status{};
}

boost::asio::awaitable<Status> FakeKubeApi::set_pod_cidr(std::string name, Cidr pod_cidr,
                                                         std::optional<Cidr> second) {
  const Status let = let_through(&name);
  if (!let) co_return let.error();
  const auto found = objects.find(name);
  if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
  std::vector<std::string> wanted = {pod_cidr.to_string()};
  if (second && dual_stack) wanted.push_back(second->to_string());
  // As kube-apiserver does: the fields cannot be changed.
  if (!found->second.empty() && found->second != wanted)
    co_return make_error(Errc::conflict, "spec.podCIDR may not change");
  found->second = wanted;
  co_return Status{};
}

boost::asio::awaitable<Status> FakeKubeApi::delete_node(std::string name) {
  const Status let = let_through(&name);
  if (!let) co_return let.error();
  objects.erase(name);
  unschedulable.erase(name);
  labels.erase(name);
  taints.erase(name);
  deleted.push_back(name);
  co_return Status{};
}

boost::asio::awaitable<Status> FakeKubeApi::set_unschedulable(std::string name, bool on) {
  const Status let = let_through(&name);
  if (!let) co_return let.error();
  if (objects.count(name) == 0) co_return make_error(Errc::not_found, "no such Node");
  if (on) {
    unschedulable.insert(name);
  } else {
    unschedulable.erase(name);
  }
  co_return Status{};
}

boost::asio::awaitable<Result<std::vector<KubePod>>> FakeKubeApi::list_pods(std::string node) {
  const Status let = let_through(&node);
  if (!let) co_return let.error();
  std::vector<KubePod> list;
  for (const Pod& pod : pods) {
    if (pod.node == node) list.push_back(pod.pod);
  }
  co_return list;
}

boost::asio::awaitable<Status> FakeKubeApi::evict_pod(KubePod wanted) {
  if (!is_dns_label(wanted.name_space)) co_return make_error(Errc::invalid, "not a namespace");
  const Status let = let_through(&wanted.name);
  if (!let) co_return let.error();
  const auto found = std::find_if(pods.begin(), pods.end(), [&](const Pod& pod) {
    return pod.pod.name_space == wanted.name_space && pod.pod.name == wanted.name;
  });
  if (found == pods.end()) co_return Status{};
  if (found->pod.uid != wanted.uid) co_return make_error(Errc::conflict, "the UID in the precondition does not match");
  if (found->blocked != 0) {
    if (found->blocked > 0) --found->blocked;
    co_return make_error(Errc::too_many, "Cannot evict pod as it would violate the pod's disruption budget.");
  }
  evicted.push_back(wanted.name_space + "/" + wanted.name);
  if (found->gone_at_once) {
    pods.erase(found);
  } else {
    found->pod.ending = true;
  }
  co_return Status{};
}

Status FakeKubeApi::let_through(const std::string* name) const {
  if (name != nullptr && !is_dns_subdomain(*name)) return make_error(Errc::invalid, "not a node's name");
  if (away) return gone();
  if (!credentials_known || !access) return denied();
  return {};
}

Error FakeKubeApi::denied() {
  return make_error(Errc::denied, "kube-apiserver answered 403");
}

Error FakeKubeApi::gone() {
  return make_error(Errc::unavailable, "connecting to kube-apiserver: refused");
}

}  // namespace slipway::test
