#include "cluster_dir.hpp"

#include <stdlib.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/async/runtime.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/crypto/csr.hpp"
#include "proto/codec.hpp"
#include "server_process.hpp"

namespace bench {

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds k_patience{30};

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

asio::awaitable<void> counted(asio::awaitable<void> job, std::size_t* left, EventThread* thread) {
  co_await std::move(job);
  if (--*left == 0) thread->stop();
}

// The client must not outlive the thread: it lives in this frame.
asio::awaitable<void> send_one(asio::any_io_executor executor, http::Endpoint endpoint, std::shared_ptr<http::TlsClientContext> tls,
                               http::Request request, Result<http::Response>* out) {
  http::Client client(executor, std::move(endpoint), std::move(tls));
  asio::awaitable<Result<http::Response>> sending = client.send(std::move(request), k_patience);
  *out = co_await std::move(sending);
}

asio::awaitable<void> join_loop(asio::any_io_executor executor, const ClusterDir* cluster, std::vector<SimNode>* nodes, std::size_t* next,
                                std::string credential) {
  const auto tls = cluster->anonymous_tls();
  while (*next < nodes->size()) {
    SimNode& node = (*nodes)[(*next)++];
    http::Client client(executor, cluster->endpoint(node.address), tls);
    asio::awaitable<Result<http::Response>> sending = client.send(node.join_request(credential), k_patience);
    const Result<http::Response> response = co_await std::move(sending);
    if (!response) die("joining: " + response.error().message);
    if (response->status != 200) die("joining: " + response->body);
    node.reply = must(proto::decode<proto::JoinReply>(response->body), "the answer to a join");
  }
}

}  // namespace

void die(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(1);
}

ClusterDir::ClusterDir(std::string bin, const std::string& parent, int io_threads) : bin_(std::move(bin)) {
  dir_ = parent + "/slipway-load-XXXXXX";
  if (::mkdtemp(dir_.data()) == nullptr) die("no folder below " + parent);
  port_ = static_cast<std::uint16_t>(free_port());
  const std::string port = std::to_string(port_);
  std::ofstream(path("cluster.yaml")) << "metadata: {name: load}\napiServer: {endpoint: \"https://10.99.0.10:6443\"}\n"
                                         "coordinator: {addresses: [10.99.0.1], port: " << port << "}\n"
                                         "network: {podCIDR: 11.0.0.0/8, nodePrefixLength: 24, serviceCIDR: 172.20.0.0/16}\n"
                                         "versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}\n";
  std::ofstream(path("coordinator.yaml")) << "listen: 10.99.0.1:" << port << "\ndataDir: " << data_dir() << "\nioThreads: " << io_threads << "\n";
  run_or_die({bin_ + "/slipway-coordinator", "init", "--config", path("cluster.yaml"), "--data-dir", data_dir(), "--admin-conf",
              path("admin.conf"), "--master-token-file", path("master.token")});
  const std::string json = must(yaml_to_json(slurp(path("admin.conf")), "admin.conf"), "reading admin.conf");
  admin_ = must(proto::decode_strict<proto::AdminConfig>(json), "reading admin.conf").clusters.at(0);
}

ClusterDir::~ClusterDir() {
  std::error_code ignored;
  if (!keep_) std::filesystem::remove_all(dir_, ignored);
}

std::vector<std::string> ClusterDir::run_command() const {
  return {bin_ + "/slipway-coordinator", "run", "--config", path("coordinator.yaml")};
}

http::Endpoint ClusterDir::endpoint(const IpAddress& from) const { return {k_address, port_, from}; }

std::shared_ptr<http::TlsClientContext> ClusterDir::anonymous_tls() const {
  return must(http::TlsClientContext::make(admin_.ca_certificate, nullptr), "tls");
}

std::shared_ptr<http::TlsClientContext> ClusterDir::admin_tls() const {
  const http::ClientIdentity identity{admin_.client_certificate, Secret(admin_.client_key)};
  return must(http::TlsClientContext::make(admin_.ca_certificate, &identity), "tls");
}

std::string ClusterDir::new_token(std::uint64_t max_uses) const {
  const proto::TokenRequest wish{"24h", max_uses, "node", ""};
  const auto response = must(send_now(endpoint(sim_address(0)), admin_tls(), json_request(http::Method::post, "/v1/tokens", proto::encode(wish))),
                             "making a token");
  const auto reply = must(proto::decode<proto::TokenReply>(response.body), "making a token");
  return reply.token.substr(reply.token.find("::") + 2);
}

SimNode::SimNode(std::string node_name, IpAddress node_address) : name(std::move(node_name)), address(node_address) {
  for (const char* usage : {"agent", "kubeletClient", "kubeletServing", "kubeProxy"}) {
    auto key = must(PrivateKey::generate_p256(), "key");
    csrs[usage] = must(make_csr(key), "csr");
    keys.emplace(usage, std::move(key));
  }
}

std::string SimNode::identity() const { return keys.at("agent").spki_sha256_hex(); }

http::Request SimNode::join_request(const std::string& credential) const {
  proto::JoinRequest request;
  request.token = credential;
  request.node_name = name;
  request.address = address.to_string();
  request.csrs = csrs;
  return json_request(http::Method::post, "/v1/join", proto::encode(request));
}

http::Request SimNode::renew_request(const std::string& usage) {
  auto key = must(PrivateKey::generate_p256(), "key");
  proto::RenewRequest request;
  request.csrs[usage] = must(make_csr(key), "csr");
  keys.erase(usage);
  keys.emplace(usage, std::move(key));
  return json_request(http::Method::post, "/v1/agent/certificates", proto::encode(request));
}

http::Request SimNode::status_request(std::uint64_t applied_revision) const {
  proto::NodeStatusReport report;
  report.phase = "Running";
  report.applied_revision = applied_revision;
  report.conditions = {{"Installed", true, "Installed", ""}, {"NetworkReady", true, "Ready", ""}};
  return json_request(http::Method::post, "/v1/agent/status", proto::encode(report));
}

std::shared_ptr<http::TlsClientContext> SimNode::tls(const std::string& ca_pem) const {
  const http::ClientIdentity identity{reply.certificates.at("agent"), must(keys.at("agent").to_pem(), "key")};
  return must(http::TlsClientContext::make(ca_pem, &identity), "tls");
}

IpAddress sim_address(std::uint64_t index) { return IpAddress::v4(0x64400001U).plus(index); }

http::Request json_request(http::Method method, std::string target, std::string body) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

double run_together(const std::function<std::vector<asio::awaitable<void>>(asio::any_io_executor)>& start) {
  EventThread thread("load");
  auto jobs = start(thread.executor());
  std::size_t left = jobs.size();
  const auto started = SteadyClock::now();
  for (auto& job : jobs) asio::co_spawn(thread.executor(), counted(std::move(job), &left, &thread), asio::detached);
  if (left > 0) thread.run_here();
  return std::chrono::duration<double>(SteadyClock::now() - started).count();
}

Result<http::Response> send_now(const http::Endpoint& endpoint, std::shared_ptr<http::TlsClientContext> tls, http::Request request) {
  Result<http::Response> out = make_error(Errc::internal, "not sent");
  run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    jobs.push_back(send_one(executor, endpoint, std::move(tls), std::move(request), &out));
    return jobs;
  });
  return out;
}

void join_all(const ClusterDir& cluster, std::vector<SimNode>& nodes, std::size_t concurrency) {
  const std::string credential = cluster.new_token(nodes.size());
  std::size_t next = 0;
  run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < concurrency; ++i) jobs.push_back(join_loop(executor, &cluster, &nodes, &next, credential));
    return jobs;
  });
}

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace bench
