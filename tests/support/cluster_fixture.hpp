#pragma once
// A whole coordinator in this process, made by init, with clients over real TLS. Every answer is held against
// the statuses that proto/openapi.json declares.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/core/time.hpp"
#include "common/crypto/private_key.hpp"
#include "common/http/client.hpp"
#include "common/http/server.hpp"
#include "coordinator/domain/operations.hpp"
#include "coordinator/service/join_limiter.hpp"
#include "proto/codec.hpp"
#include "proto/file_types.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
class App;
}

namespace slipway::test {

const nlohmann::json& openapi();

// Whether openapi.json says that this operation may give this status. Noted, so that "every status is given by some test" can be held
// against all tests (tests/contract/statuses_seen.cpp).
void check_declared(std::string_view method, const std::string& target, int status);

// One thread's clients: requests run to their end one after the other, or together with all().
class Clients {
 public:
  using Reply = Result<http::Response>;
  Clients();
  ~Clients();
  boost::asio::any_io_executor executor();

  Reply run(boost::asio::awaitable<Reply> work);
  void start(boost::asio::awaitable<Reply> work, std::function<void(Reply)> done);
  void run_until(const std::function<bool()>& done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

http::Request request_of(http::Method method, std::string target, std::string body = {});

// A client with or without a certificate.
struct Caller {
  Caller(Clients& all, std::uint16_t port, std::shared_ptr<http::TlsClientContext> tls);

  Result<http::Response> try_send(http::Request request);
  http::Response send(http::Request request);
  http::Response get(const std::string& target);
  http::Response post(const std::string& target, const std::string& body);
  http::Response put(const std::string& target, const std::string& body);
  http::Response remove(const std::string& target);

  Clients& clients;
  http::Client client;
};

template <class T>
T as(const http::Response& response) {
  auto value = proto::decode<T>(response.body);
  if (!value) FAIL("status " << response.status << ": " << value.error().message << ": " << response.body);
  return std::move(*value);
}

// A join is answered when it is durable, which may be before it is published: asks as an agent until the state shows so many nodes.
proto::DesiredState published_with(Caller& agent, std::size_t nodes);
// Path and query for what comes after the state.
std::string sync_behind(const proto::DesiredState& state);

inline constexpr const char* k_cluster_yaml = R"(
metadata: {name: demo}
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10], port: 7443}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16, nodeCIDRs: [10.77.0.0/16]}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

class FakeKubeApi;

class ClusterFixture {
 public:
  // `made`: when the cluster is said to have been made; its first certificates are of that time.
  explicit ClusterFixture(const std::string& yaml = k_cluster_yaml, WallTime made = now());
  ~ClusterFixture();

  static WallTime now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

  // Limits that no test reaches by chance.
  static JoinLimits wide_limits();
  void start(JoinLimits limits = wide_limits());
  void stop();
  // Changes the stored state while no coordinator runs: for what takes hours in life.
  void change(const Operation& operation);

  std::shared_ptr<http::TlsClientContext> tls(const std::string& certificate, const Secret& key) const;
  Caller admin();
  Caller anonymous();
  // "id.secret"
  std::string new_token(std::uint64_t uses = 1, const std::string& role = "node",
                        const std::string& node = "");

  // Each answer must be the wanted one.
  proto::PendingNodeView approve(const std::string& name);

  TempDir dir;
  http::ServerLimits http_limits;  // for the next start()
  std::uint64_t io_threads = 2;    // likewise
  std::string listen = "127.0.0.1:0";  // likewise
  proto::RoutesHook routes_hook;       // likewise
  FakeKubeApi* kube = nullptr;     // likewise; null: without kube-apiserver
  proto::AdminCluster admin_cluster;
  Clients clients;
  std::unique_ptr<App> app;
};

// An agent without a host: keys, requests, and the certificates it got.
struct SimulatedAgent {
  explicit SimulatedAgent(std::string node_name, int host, NodeRole node_role = NodeRole::node);
  SimulatedAgent(std::string node_name, int host, NodeRole node_role,
                 std::map<std::string, std::string> requests);
  void new_keys();
  // Another host that asks with the same keys for certificates: making keys takes long. Its own identity key is new.
  SimulatedAgent named(const std::string& other, int host) const;
  proto::JoinRequest join_request(const std::string& token) const;
  http::Request join_message(const std::string& token) const;
  void accept(const http::Response& response);
  Caller caller(ClusterFixture& cluster) const;

  std::string name;
  NodeRole role;
  std::map<std::string, std::string> csrs;
  std::string address;
  std::map<std::string, PrivateKey> keys;
  std::map<std::string, std::string> certificates;
  proto::JoinReply reply;
};

// Joined with a token of its own.
SimulatedAgent joined(ClusterFixture& cluster, const std::string& name, int host,
                      NodeRole role = NodeRole::node);

}  // namespace slipway::test
