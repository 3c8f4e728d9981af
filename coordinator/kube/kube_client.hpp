#pragma once
// Adapter: kube-apiserver over HTTPS, with client certificates that the coordinator issues to itself and
// keeps in memory.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/http/client.hpp"
#include "coordinator/kube/objects.hpp"
#include "coordinator/ports/kube_api.hpp"
#include "coordinator/ports/kube_pods.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway::kube {

struct KubeClientDeps {
  boost::asio::any_io_executor executor;  // of the thread that uses the client
  Clock& clock;
  Workers& workers;  // makes keys
  Signer& signer;
  std::function<std::string(std::size_t)> random_bytes;
  // The cluster as it stands, for profiles and lifetimes; on the executor's thread.
  std::function<ProfileCluster()> cluster;
  // Takes note of a certificate before it is used; on the executor's thread.
  std::function<boost::asio::awaitable<Status>(CertUsage usage, std::string subject, IssuedCert issued,
                                               std::string spki_sha256)>
      record;
  std::string endpoint;  // https://MASTER_IP:6443
};

class KubeClient final : public KubeApi, public KubePods {
 public:
  static Result<std::unique_ptr<KubeClient>> make(KubeClientDeps deps);
  ~KubeClient() override;

  boost::asio::awaitable<Status> ensure_access() override;
  boost::asio::awaitable<Result<std::vector<KubeNode>>> list_nodes() override;
  boost::asio::awaitable<Result<KubeNode>> get_node(std::string name) override;
  boost::asio::awaitable<Status> set_pod_cidr(std::string name, Cidr pod_cidr, std::optional<Cidr> second) override;
  boost::asio::awaitable<Status> set_unschedulable(std::string name, bool unschedulable) override;
  boost::asio::awaitable<Status> set_marks(std::string name, KubeMarks marks) override;
  boost::asio::awaitable<Status> delete_node(std::string name) override;

  boost::asio::awaitable<Result<std::vector<KubePod>>> list_pods(std::string node) override;
  boost::asio::awaitable<Status> evict_pod(KubePod pod) override;

 private:
  struct Identity;
  KubeClient(KubeClientDeps deps, http::Endpoint endpoint);
  boost::asio::awaitable<Result<std::shared_ptr<Identity>>> make_identity(CertUsage usage, std::string user,
                                                                          Seconds life);
  boost::asio::awaitable<Result<std::shared_ptr<Identity>>> own_identity();
  boost::asio::awaitable<Result<http::Response>> call(http::Request request);
  boost::asio::awaitable<Result<http::Response>> send(std::shared_ptr<Identity> identity,
                                                      http::Request request);
  boost::asio::awaitable<Status> check_serving();
  boost::asio::awaitable<Status> put_in_place(std::shared_ptr<Identity> admin, AccessObject object);
  boost::asio::awaitable<Status> wait_for_access();
  boost::asio::awaitable<Status> patch_node(std::string name, std::string patch);
  // "policy/v1beta1" or "policy/v1", as the server takes it.
  boost::asio::awaitable<Result<std::string>> eviction_version();

  KubeClientDeps deps_;
  http::Endpoint endpoint_;
  std::shared_ptr<Identity> own_;
  std::string eviction_version_;          // empty: not asked yet
  SteadyTime eviction_version_until_{};   // the server may be upgraded
};

}  // namespace slipway::kube
