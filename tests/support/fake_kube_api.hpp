#pragma once
// kube-apiserver as a map of Node objects.
#include <map>
#include <string>
#include <vector>

#include "coordinator/ports/kube_api.hpp"

namespace slipway::test {

class FakeKubeApi final : public KubeApi {
 public:
  boost::asio::awaitable<Status> ensure_access() override {
    if (away) co_return gone();
    ++access_calls;
    co_return Status{};
  }
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override {
    if (away) co_return gone();
    std::vector<KubeNode> list;
    for (const auto& [name, cidrs] : objects) list.push_back({name, cidrs});
    ++list_calls;
    co_return list;
  }
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) override {
    if (away) co_return gone();
    ++get_calls;
    const auto found = objects.find(name);
    if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
    co_return KubeNode{name, found->second};
  }
  boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr) override {
    if (away) co_return gone();
    const auto found = objects.find(name);
    if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
    // As kube-apiserver does: the fields cannot be changed.
    if (!found->second.empty()) co_return make_error(Errc::conflict, "spec.podCIDR may not change");
    found->second = {pod_cidr.to_string()};
    co_return Status{};
  }
  boost::asio::awaitable<Status> delete_node(std::string name) override {
    if (away) co_return gone();
    objects.erase(name);
    deleted.push_back(name);
    co_return Status{};
  }

  bool away = false;
  std::map<std::string, std::vector<std::string>> objects;  // name -> podCIDRs
  std::vector<std::string> deleted;
  int access_calls = 0;
  int list_calls = 0;
  int get_calls = 0;

 private:
  static Error gone() { return make_error(Errc::unavailable, "connecting to kube-apiserver: refused"); }
};

}  // namespace slipway::test
