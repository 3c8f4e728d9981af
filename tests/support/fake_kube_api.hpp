#pragma once
// kube-apiserver as a map of Node objects.
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/ports/kube_api.hpp"

namespace slipway::test {

class FakeKubeApi final : public KubeApi {
 public:
  boost::asio::awaitable<Status> ensure_access() override;
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override;
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) override;
  boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr,
                                              std::optional<Cidr> second) override;
  boost::asio::awaitable<Status> delete_node(std::string name) override;

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
  Status let_through(const std::string* name = nullptr) const;
  static Error denied();
  static Error gone();
};

}  // namespace slipway::test
