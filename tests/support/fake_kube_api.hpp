#pragma once
// kube-apiserver as a map of Node objects.
#include <map>
#include <string>
#include <vector>

#include "common/core/text.hpp"
#include "coordinator/ports/kube_api.hpp"

namespace slipway::test {

class FakeKubeApi final : public KubeApi {
 public:
  boost::asio::awaitable<Status> ensure_access() override {
    if (away) co_return gone();
    if (!credentials_known) co_return denied();
    ++access_calls;
    access = true;
    co_return Status{};
  }
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override {
    const Status let = let_through();
    if (!let) co_return let.error();
    std::vector<KubeNode> list;
    for (const auto& [name, cidrs] : objects) list.push_back({name, cidrs});
    ++list_calls;
    co_return list;
  }
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) override {
    const Status let = let_through(&name);
    if (!let) co_return let.error();
    ++get_calls;
    const auto found = objects.find(name);
    if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
    co_return KubeNode{name, found->second};
  }
  boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr, std::optional<Cidr> second) override {
    const Status let = let_through(&name);
    if (!let) co_return let.error();
    const auto found = objects.find(name);
    if (found == objects.end()) co_return make_error(Errc::not_found, "no such Node");
    std::vector<std::string> wanted = {pod_cidr.to_string()};
    if (second && dual_stack) wanted.push_back(second->to_string());
    // As kube-apiserver does: the fields cannot be changed.
    if (!found->second.empty() && found->second != wanted) co_return make_error(Errc::conflict, "spec.podCIDR may not change");
    found->second = wanted;
    co_return Status{};
  }
  boost::asio::awaitable<Status> delete_node(std::string name) override {
    const Status let = let_through(&name);
    if (!let) co_return let.error();
    objects.erase(name);
    deleted.push_back(name);
    co_return Status{};
  }

  bool away = false;
  bool credentials_known = true;
  bool access = false;  // until ensure_access()
  bool dual_stack = true;  // false: drops the second one, as kube-apiserver 1.20 does by default
  std::map<std::string, std::vector<std::string>> objects;  // name -> podCIDRs
  std::vector<std::string> deleted;
  int access_calls = 0;
  int list_calls = 0;
  int get_calls = 0;

 private:
  Status let_through(const std::string* name = nullptr) const {
    if (name != nullptr && !is_dns_subdomain(*name)) return make_error(Errc::invalid, "not a node's name");
    if (away) return gone();
    if (!credentials_known || !access) return denied();
    return {};
  }
  static Error denied() { return make_error(Errc::denied, "kube-apiserver answered 403"); }
  static Error gone() { return make_error(Errc::unavailable, "connecting to kube-apiserver: refused"); }
};

}  // namespace slipway::test
