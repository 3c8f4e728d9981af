#include "tests/support/cluster_fixture.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "common/config/yaml_to_json.hpp"
#include "common/core/ip.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "coordinator/config.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/init.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "proto/problem.hpp"
#include "proto/routes.hpp"
#include "tests/support/fake_kube_api.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::test {

const nlohmann::json& openapi() {
  static const auto document =
      nlohmann::json::parse(get_file(std::string(SLIPWAY_SOURCE_DIR) + "/proto/openapi.json"));
  return document;
}

namespace {

// One file a status that an operation gave: tests/lint holds them against what openapi.json promises, when all tests have run.
void note_status(std::string_view operation, int status) {
  const std::filesystem::path folder = std::filesystem::path(SLIPWAY_BINARY_DIR) / "statuses";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  std::ofstream(folder / (std::string(operation) + "-" + std::to_string(status)));
}

}  // namespace

// Statuses of the HTTP layer itself that any path may bring (openapi.json says so in its description).
void check_declared(std::string_view method, const std::string& target, int status) {
  const std::string path = target.substr(0, target.find('?'));
  const auto match = proto::match_route(method, path);
  if (match.route == nullptr) {
    CHECK((status == 404 || status == 405));
    return;
  }
  const auto& operation =
      openapi().at("paths").at(std::string(match.route->path)).at(lower(match.route->method));
  note_status(match.route->operation, status);
  INFO(match.route->operation << " answered " << status);
  CHECK(operation.at("responses").contains(std::to_string(status)));
}

namespace {

// Each error is a problem document with a code of the one table.
void check_problem(const http::Response& response) {
  if (response.status < 400 || response.body.empty()) return;  // HEAD has no body
  const auto problem = proto::decode<proto::Problem>(response.body);
  INFO(response.body);
  REQUIRE(problem);
  const auto codes = proto::problem_codes();
  const bool known = std::any_of(codes.begin(), codes.end(), [&](const proto::ProblemCode& row) {
    return row.code == problem->code && row.status == response.status && row.title == problem->title;
  });
  CHECK(known);
}

}  // namespace

struct Clients::Impl {
  boost::asio::io_context context{1};
};

Clients::Clients() : impl_(std::make_unique<Impl>()) {}
Clients::~Clients() = default;

boost::asio::any_io_executor Clients::executor() { return impl_->context.get_executor(); }

Clients::Reply Clients::run(boost::asio::awaitable<Reply> work) {
  std::optional<Reply> reply;
  start(std::move(work), [&reply](Reply got) { reply = std::move(got); });
  run_until([&reply] { return reply.has_value(); });
  return std::move(*reply);
}

void Clients::start(boost::asio::awaitable<Reply> work, std::function<void(Reply)> done) {
  boost::asio::co_spawn(impl_->context, std::move(work), [done](std::exception_ptr failure, Reply reply) {
    if (failure) std::rethrow_exception(failure);
    done(std::move(reply));
  });
}

void Clients::run_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  impl_->context.restart();
  while (!done()) {
    if (impl_->context.run_one_until(deadline) == 0) throw std::runtime_error("no answer in time");
  }
}

http::Request request_of(http::Method method, std::string target, std::string body) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

Caller::Caller(Clients& all, std::uint16_t port, std::shared_ptr<http::TlsClientContext> tls)
    : clients(all), client(all.executor(), http::Endpoint{"127.0.0.1", port}, std::move(tls)) {}

Result<http::Response> Caller::try_send(http::Request request) {
  auto reply = clients.run(client.send(request, std::chrono::seconds(70)));
  if (reply) check_declared(http::to_string(request.method), request.target, reply->status);
  if (reply) check_problem(*reply);
  return reply;
}

http::Response Caller::send(http::Request request) {
  auto reply = try_send(std::move(request));
  if (!reply) FAIL(reply.error().message);
  return std::move(*reply);
}

http::Response Caller::get(const std::string& target) {
  return send(request_of(http::Method::get, target));
}

http::Response Caller::post(const std::string& target, const std::string& body) {
  return send(request_of(http::Method::post, target, body));
}

http::Response Caller::put(const std::string& target, const std::string& body) {
  return send(request_of(http::Method::put, target, body));
}

http::Response Caller::remove(const std::string& target) {
  return send(request_of(http::Method::del, target));
}

std::string sync_behind(const proto::DesiredState& state) {
  return "/v1/agent/sync?epoch=" + state.epoch + "&revision=" + std::to_string(state.revision);
}

proto::DesiredState published_with(Caller& agent, std::size_t nodes) {
  auto state = as<proto::DesiredState>(agent.get("/v1/agent/sync"));
  while (state.nodes.size() < nodes) state = as<proto::DesiredState>(agent.get(sync_behind(state) + "&wait=60"));
  return state;
}

ClusterFixture::ClusterFixture(const std::string& yaml, WallTime made) {
  put_file(dir / "cluster.yaml", yaml);
  InitOptions options;
  options.config = dir / "cluster.yaml";
  options.data_dir = dir / "data";
  options.admin_conf = dir / "admin.conf";
  options.master_token_file = dir / "master.token";
  options.clock_floor = made;
  const auto done = init_cluster(options, made);
  if (!done) FAIL(done.error().message);
  const auto json = yaml_to_json(get_file(dir / "admin.conf"), "admin.conf");
  admin_cluster = proto::decode_strict<proto::AdminConfig>(*json).value().clusters.at(0);
}

ClusterFixture::~ClusterFixture() = default;

JoinLimits ClusterFixture::wide_limits() {
  JoinLimits limits;
  limits.address_burst = 10'000;
  limits.total_burst = 10'000;
  return limits;
}

void ClusterFixture::start(JoinLimits limits) {
  AppOptions options;
  options.config.listen = listen;
  options.config.data_dir = dir / "data";
  options.config.io_threads = io_threads;
  options.config.routes_hook = routes_hook;
  options.join_limits = limits;
  options.refusal_limits = {1'000'000, 1'000'000, 100};
  options.limits = http_limits;
  options.kube = kube != nullptr;
  options.kube_nodes = kube;
  options.kube_pods = kube;
  auto started = App::start(std::move(options));
  if (!started) FAIL(started.error().message);
  app = std::move(*started);
}

void ClusterFixture::stop() {
  const Status stopped = app->stop(std::chrono::seconds(5));
  CHECK((stopped ? "" : stopped.error().message) == std::string());
  app.reset();
}

void ClusterFixture::change(const Operation& operation) {
  auto sqlite = SqliteStore::open(state_file(dir / "data"), false);
  REQUIRE(sqlite);
  RecordStore store(**sqlite);
  auto state = store.load();
  REQUIRE(state);
  std::vector<Change> changes;
  const auto outcome = apply(*state, operation, changes);
  if (!outcome) FAIL(outcome.error().message);
  REQUIRE(store.commit(changes));
}

std::shared_ptr<http::TlsClientContext> ClusterFixture::tls(const std::string& certificate,
                                                            const Secret& key) const {
  http::ClientIdentity identity{certificate, key.copy()};
  auto context = http::TlsClientContext::make(admin_cluster.ca_certificate, &identity);
  if (!context) FAIL(context.error().message);
  return *context;
}

Caller ClusterFixture::admin() {
  return Caller(clients, app->port(),
                tls(admin_cluster.client_certificate, Secret(admin_cluster.client_key)));
}

Caller ClusterFixture::anonymous() {
  auto context = http::TlsClientContext::make(admin_cluster.ca_certificate, nullptr);
  REQUIRE(context);
  return Caller(clients, app->port(), *context);
}

std::string ClusterFixture::new_token(std::uint64_t uses, const std::string& role, const std::string& node) {
  Caller caller = admin();
  const auto reply = as<proto::TokenReply>(
      caller.post("/v1/tokens", proto::encode(proto::TokenRequest{"1h", uses, role, node})));
  return reply.token.substr(reply.token.find("::") + 2);
}

proto::PendingNodeView ClusterFixture::approve(const std::string& name) {
  Caller caller = admin();
  return as<proto::PendingNodeView>(caller.post("/v1/nodes/" + name + "/approve", "{}"));
}

SimulatedAgent::SimulatedAgent(std::string node_name, int host, NodeRole node_role)
    : SimulatedAgent(std::move(node_name), host, node_role, {}) {
  new_keys();
}

SimulatedAgent::SimulatedAgent(std::string node_name, int host, NodeRole node_role,
                               std::map<std::string, std::string> requests)
    : name(std::move(node_name)), role(node_role), csrs(std::move(requests)) {
  address = IpAddress::v4(0x0a4d0000U + static_cast<std::uint32_t>(host)).to_string();
}

void SimulatedAgent::new_keys() {
  keys.clear();
  csrs.clear();
  const auto& usages = role == NodeRole::master ? usages_of_master() : usages_of_node();
  for (const CertUsage usage : usages) {
    auto key = PrivateKey::generate_p256();
    const std::string word(to_string(usage));
    csrs[word] = make_csr(*key).value();
    keys.emplace(word, std::move(*key));
  }
}

SimulatedAgent SimulatedAgent::named(const std::string& other, int host) const {
  SimulatedAgent made(other, host, role, csrs);
  auto key = PrivateKey::generate_p256();
  made.csrs["agent"] = make_csr(*key).value();
  made.keys.emplace("agent", std::move(*key));
  return made;
}

proto::JoinRequest SimulatedAgent::join_request(const std::string& token) const {
  proto::JoinRequest request;
  request.token = token;
  request.node_name = name;
  request.role = std::string(to_string(role));
  request.address = address;
  request.facts.machine_id = "machine-" + name;
  request.csrs = csrs;
  return request;
}

http::Request SimulatedAgent::join_message(const std::string& token) const {
  return request_of(http::Method::post, "/v1/join", proto::encode(join_request(token)));
}

void SimulatedAgent::accept(const http::Response& response) {
  if (response.status != 200) FAIL(response.body);
  reply = as<proto::JoinReply>(response);
  certificates = reply.certificates;
}

Caller SimulatedAgent::caller(ClusterFixture& cluster) const {
  const auto key = keys.find("agent")->second.to_pem();
  return Caller(cluster.clients, cluster.app->port(), cluster.tls(certificates.at("agent"), *key));
}

SimulatedAgent joined(ClusterFixture& cluster, const std::string& name, int host, NodeRole role) {
  SimulatedAgent agent(name, host, role);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(cluster.new_token(1, std::string(to_string(role))))));
  return agent;
}

}  // namespace slipway::test
