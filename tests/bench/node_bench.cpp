// What nodes cost after they have joined: renewals, heartbeats, and memory for each that is known or connected. The coordinator is the
// real program on one core, the load this program on another. Needs root.
//   sudo node_bench renew|status|sync|handshake|connected --bin build/release/bin [--nodes 500] [--requests 5000] [--server-cpu 0] [--load-cpu 1]
//        [--io-threads 0] [--dir /var/tmp]
// renew: connect, mutual TLS, four CSRs, four certificates, durable. status, sync: one request on a kept connection of each node.
// handshake: a new connection, mutual TLS, the cheapest request there is, close.
// connected: resident memory for each node that waits in a long poll.
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "connection_load.hpp"
#include "figures.hpp"
#include "proto/codec.hpp"
#include "server_process.hpp"

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string mode;
  std::string bin = "build/release/bin";
  std::string dir = "/var/tmp";  // where the cluster's folder is made
  std::size_t nodes = 500;
  std::size_t requests = 5000;
  int server_cpu = 0;
  int load_cpu = 1;
  int io_threads = 0;
};

struct Load {
  const bench::ClusterDir* cluster = nullptr;
  const Options* options = nullptr;
  bench::ServerProcess* server = nullptr;
  std::string epoch;            // of the desired state that the nodes have
  std::uint64_t revision = 0;
  std::size_t left = 0;         // requests still to be sent
  std::size_t connected = 0;
  bench::Usage before;
  SteadyClock::time_point began;
  std::vector<double> latencies_ms;

  void begin() {
    before = server->usage();
    began = SteadyClock::now();
  }
};

using Sending = asio::awaitable<Result<http::Response>>;

Options parse(int argc, char** argv) {
  Options options;
  if (argc > 1) options.mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--dir") options.dir = value;
    else if (name == "--nodes") options.nodes = parse_u64(value, 50'000).value_or(1);
    else if (name == "--requests") options.requests = parse_u64(value).value_or(1);
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu") options.load_cpu = std::atoi(value.c_str());
    else if (name == "--io-threads") options.io_threads = std::atoi(value.c_str());
    else bench::die("unknown option " + name);
  }
  return options;
}

const http::Response& expect(const Result<http::Response>& response, int status) {
  if (!response) bench::die("a request failed: " + response.error().message);
  if (response->status != status) bench::die("a request was answered " + std::to_string(response->status) + " " + response->body);
  return *response;
}

double since_ms(SteadyClock::time_point start) { return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count(); }

struct Renewal {
  http::Request request;
  PrivateKey agent_key;
};

Renewal make_renewal() {
  proto::RenewRequest request;
  std::optional<PrivateKey> agent;
  for (const char* usage : {"kubeletClient", "kubeletServing", "kubeProxy", "agent"}) {
    auto key = bench::must(PrivateKey::generate_p256(), "key");
    request.csrs[usage] = bench::must(make_csr(key), "csr");
    agent.emplace(std::move(key));
  }
  return {bench::json_request(http::Method::post, "/v1/agent/certificates", proto::encode(request)), std::move(*agent)};
}

asio::awaitable<void> renew_loop(asio::any_io_executor executor, Load* load, std::vector<bench::SimNode>* nodes, std::size_t first, std::size_t step) {
  for (std::size_t i = first; load->left > 0; i = i + step < nodes->size() ? i + step : first) {
    --load->left;
    bench::SimNode& node = (*nodes)[i];
    Renewal renewal = make_renewal();
    const auto start = SteadyClock::now();
    http::Client client(executor, load->cluster->endpoint(node.address), node.tls(load->cluster->ca_pem()));
    Sending sending = client.send(std::move(renewal.request), std::chrono::seconds(30));
    const Result<http::Response> response = co_await std::move(sending);
    load->latencies_ms.push_back(since_ms(start));
    const auto reply = bench::must(proto::decode<proto::RenewReply>(expect(response, 200).body), "a renewal");
    node.reply.certificates["agent"] = reply.certificates.at("agent");
    node.keys.erase("agent");
    node.keys.emplace("agent", std::move(renewal.agent_key));
  }
}

asio::awaitable<void> pause(asio::any_io_executor executor) {
  asio::steady_timer timer(executor, std::chrono::milliseconds(10));
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

http::Request sync_request(const std::string& epoch, std::uint64_t revision, int wait_seconds) {
  return bench::json_request(http::Method::get, "/v1/agent/sync?epoch=" + epoch + "&revision=" + std::to_string(revision) +
                                                    "&wait=" + std::to_string(wait_seconds), "");
}

http::Request beat(const Load& load, const bench::SimNode& node, int wait_seconds) {
  if (load.options->mode == "status") return node.status_request(load.revision);
  return sync_request(load.epoch, load.revision, wait_seconds);
}

// One node's kept connection: all connect before the clock starts.
asio::awaitable<void> beat_loop(asio::any_io_executor executor, Load* load, const bench::SimNode* node) {
  http::Client client(executor, load->cluster->endpoint(node->address), node->tls(load->cluster->ca_pem()));
  Sending first = client.send(beat(*load, *node, 0), std::chrono::seconds(60));
  const Result<http::Response> greeting = co_await std::move(first);
  expect(greeting, 204);
  if (++load->connected == load->options->nodes) load->begin();
  while (load->connected < load->options->nodes) {
    asio::awaitable<void> pausing = pause(executor);
    co_await std::move(pausing);
  }
  while (load->left > 0) {
    --load->left;
    const auto start = SteadyClock::now();
    Sending sending = client.send(beat(*load, *node, 0), std::chrono::seconds(30));
    const Result<http::Response> response = co_await std::move(sending);
    expect(response, 204);
    load->latencies_ms.push_back(since_ms(start));
  }
}

// Waits in a long poll until the program ends.
asio::awaitable<void> poll_forever(asio::any_io_executor executor, Load* load, const bench::SimNode* node, std::size_t number) {
  // Not all at once: a handshake has its deadline.
  while (load->connected + 32 < number) {
    asio::awaitable<void> pausing = pause(executor);
    co_await std::move(pausing);
  }
  http::Client client(executor, load->cluster->endpoint(node->address), node->tls(load->cluster->ca_pem()));
  Sending first = client.send(beat(*load, *node, 0), std::chrono::seconds(60));
  const Result<http::Response> greeting = co_await std::move(first);
  expect(greeting, 204);
  ++load->connected;
  Sending waiting = client.send(beat(*load, *node, 60), std::chrono::seconds(90));
  const Result<http::Response> response = co_await std::move(waiting);
  expect(response, 204);
}

asio::awaitable<void> report_connected(asio::any_io_executor executor, Load* load) {
  const long before = load->server->usage().rss_kib;
  while (load->connected < load->options->nodes) {
    asio::awaitable<void> pausing = pause(executor);
    co_await std::move(pausing);
  }
  for (int i = 0; i < 300; ++i) {
    asio::awaitable<void> pausing = pause(executor);
    co_await std::move(pausing);
  }
  const long after = load->server->usage().rss_kib;
  std::printf("connected: %zu nodes in a long poll, resident %.1f MiB before, %.1f MiB now: %.1f KiB a node\n", load->options->nodes,
              static_cast<double>(before) / 1024, static_cast<double>(after) / 1024,
              static_cast<double>(after - before) / static_cast<double>(load->options->nodes));
  std::fflush(stdout);
  load->server->kill_now();
  std::_Exit(0);
}

void report(const Load& load, double seconds) {
  const bench::Usage after = load.server->usage();
  bench::print_figures(load.options->mode, {seconds, after.cpu_seconds - load.before.cpu_seconds, after.rss_kib, load.latencies_ms});
}

void learn_position(Load& load, const bench::SimNode& node) {
  const auto reply = bench::send_now(load.cluster->endpoint(node.address), node.tls(load.cluster->ca_pem()), sync_request("none", 0, 0));
  const auto desired = bench::must(proto::decode<proto::DesiredState>(expect(reply, 200).body), "the desired state");
  load.epoch = desired.epoch;
  load.revision = desired.revision;
}

std::vector<asio::awaitable<void>> jobs_of(asio::any_io_executor executor, Load& load, std::vector<bench::SimNode>& nodes) {
  std::vector<asio::awaitable<void>> jobs;
  constexpr std::size_t k_renewing = 32;
  if (load.options->mode == "renew") {
    load.begin();
    for (std::size_t i = 0; i < k_renewing; ++i) jobs.push_back(renew_loop(executor, &load, &nodes, i, k_renewing));
    return jobs;
  }
  const bool polls = load.options->mode == "connected";
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    jobs.push_back(polls ? poll_forever(executor, &load, &nodes[i], i) : beat_loop(executor, &load, &nodes[i]));
  }
  if (load.options->mode == "connected") jobs.push_back(report_connected(executor, &load));
  return jobs;
}

double shake_hands(Load& load, const std::vector<bench::SimNode>& nodes) {
  bench::ConnectionLoad connections;
  for (const bench::SimNode& node : nodes) {
    connections.endpoints.push_back(load.cluster->endpoint(node.address));
    connections.contexts.push_back(node.tls(load.cluster->ca_pem()));
  }
  connections.requests.push_back(bench::json_request(http::Method::get, "/livez", ""));
  connections.expected = "ok";
  connections.connections = load.options->requests;
  load.begin();
  const double seconds = bench::run_connections(connections, 32);
  load.latencies_ms = std::move(connections.latencies_ms);
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  bench::raise_descriptor_limit();
  bench::enter_own_network(bench::k_address);
  const bench::ClusterDir cluster(options.bin, options.dir, options.io_threads);
  bench::ServerProcess server(cluster.run_command(), options.server_cpu, cluster.path("log"));
  if (!server.wait_until_listening(bench::k_address, cluster.port())) bench::die("the coordinator has ended");
  bench::pin_this_thread(options.load_cpu);
  std::vector<bench::SimNode> nodes;
  for (std::size_t i = 0; i < options.nodes; ++i) nodes.emplace_back("bench-" + std::to_string(i), bench::sim_address(i));
  bench::join_all(cluster, nodes, 32);
  Load load;
  load.cluster = &cluster;
  load.options = &options;
  load.server = &server;
  load.left = options.requests;
  // The last joins are published within a second.
  ::usleep(1'500'000);
  if (options.mode == "handshake") {
    report(load, shake_hands(load, nodes));
    return 0;
  }
  learn_position(load, nodes[0]);
  bench::run_together([&](asio::any_io_executor executor) { return jobs_of(executor, load, nodes); });
  report(load, std::chrono::duration<double>(SteadyClock::now() - load.began).count());
  return 0;
}
