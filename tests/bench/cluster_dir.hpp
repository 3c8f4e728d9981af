#pragma once
// What benchmarks and crash tests have in common: a cluster in a folder of its own, nodes without hosts, and requests from them. A fault
// of the set-up ends the program with a message. Needs root: a coordinator on a loopback address is refused (rightly), so there is a
// network name space (enter_own_network() in server_process.hpp) where k_address and all of 100.64.0.0/10 are ours.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/crypto/private_key.hpp"
#include "common/http/client.hpp"
#include "proto/file_types.hpp"
#include "proto/join_types.hpp"

namespace bench {

inline constexpr char k_address[] = "10.99.0.1";

[[noreturn]] void die(const std::string& text);

template <class T>
T must(slipway::Result<T> result, const std::string& doing) {
  if (!result) die(doing + ": " + result.error().message);
  return std::move(*result);
}

// A cluster made by `slipway-coordinator init`, and what its operator has.
class ClusterDir {
 public:
  // A new folder below `parent`; `bin` holds the programs. Pod blocks are /24 of 11.0.0.0/8. `io_threads` 0: as many as the
  // coordinator thinks right, none of their own on a single core.
  ClusterDir(std::string bin, const std::string& parent, int io_threads = 0);
  ~ClusterDir();
  ClusterDir(const ClusterDir&) = delete;
  ClusterDir& operator=(const ClusterDir&) = delete;

  std::string path(const std::string& name) const { return dir_ + "/" + name; }
  std::string data_dir() const { return dir_ + "/data"; }
  std::uint16_t port() const { return port_; }
  std::vector<std::string> run_command() const;
  // The other end of a connection from `from`.
  slipway::http::Endpoint endpoint(const slipway::IpAddress& from) const;

  const std::string& ca_pem() const { return admin_.ca_certificate; }
  std::shared_ptr<slipway::http::TlsClientContext> anonymous_tls() const;
  std::shared_ptr<slipway::http::TlsClientContext> admin_tls() const;
  // One request by the operator, the coordinator runs. "id.secret".
  std::string new_token(std::uint64_t max_uses) const;
  void keep() { keep_ = true; }  // the folder stays: something is to be looked at

 private:
  std::string bin_;
  std::string dir_;
  std::uint16_t port_ = 0;
  bool keep_ = false;
  slipway::proto::AdminCluster admin_;
};

// A node without a host: its keys, its requests and what it was given.
struct SimNode {
  SimNode(std::string node_name, slipway::IpAddress node_address);
  SimNode(SimNode&&) noexcept = default;

  std::string identity() const;  // SHA-256 of the agent's public key, hex
  slipway::http::Request join_request(const std::string& credential) const;
  // For a new key for `usage`; the old one is gone.
  slipway::http::Request renew_request(const std::string& usage);
  slipway::http::Request status_request(std::uint64_t applied_revision) const;
  // Only after `reply` has been set by a join.
  std::shared_ptr<slipway::http::TlsClientContext> tls(const std::string& ca_pem) const;

  std::string name;
  slipway::IpAddress address;
  std::map<std::string, slipway::PrivateKey> keys;
  std::map<std::string, std::string> csrs;
  slipway::proto::JoinReply reply;
};

slipway::IpAddress sim_address(std::uint64_t index);  // 100.64.0.0/10, from 100.64.0.1 on

slipway::http::Request json_request(slipway::http::Method method, std::string target, std::string body);

// Runs all coroutines on one thread, this one, until the last has ended; seconds of wall time.
double run_together(const std::function<std::vector<boost::asio::awaitable<void>>(boost::asio::any_io_executor)>& start);

// One request on a connection of its own, from a thread that is no event thread.
slipway::Result<slipway::http::Response> send_now(const slipway::http::Endpoint& endpoint,
                                                  std::shared_ptr<slipway::http::TlsClientContext> tls, slipway::http::Request request);

// Lets `count` nodes join, `concurrency` at a time, in a cluster whose coordinator runs; ends the program when one is refused.
void join_all(const ClusterDir& cluster, std::vector<SimNode>& nodes, std::size_t concurrency);

double percentile(std::vector<double> values, double fraction);

}  // namespace bench
