// B1: joins a second. A join is connect, TLS 1.3 with the CA pinned, one request with a token and four CSRs, and the answer
// after the durable commit. The coordinator is the real program on one core, the load this program on another. Needs root.
//   sudo join_bench --bin build/release/bin [--joins 2000] [--concurrency 32] [--rounds 5] [--rate 0] [--server-cpu 0] [--load-cpu 1] [--io-threads 0]
//        [--dir /var/tmp]
// --rate N: open loop, N joins a second begin whether earlier ones have ended or not; latency counts from when each was due.
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "server_process.hpp"

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string bin = "build/release/bin";
  std::string dir = "/var/tmp";  // where the cluster's folder is made
  std::size_t joins = 2000;
  std::size_t concurrency = 32;
  std::size_t rate = 0;
  int rounds = 5;
  int server_cpu = 0;
  int load_cpu = 1;
  int io_threads = 0;
};

struct Load {
  std::vector<http::Request> requests;  // one a join, encoded before the clock starts
  std::vector<http::Endpoint> endpoints;
  std::shared_ptr<http::TlsClientContext> tls;
  std::size_t next = 0;
  std::size_t rate = 0;
  SteadyClock::time_point began;
  std::vector<double> latencies_ms;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--dir") options.dir = value;
    else if (name == "--joins") options.joins = parse_u64(value, 50'000).value_or(1);
    else if (name == "--concurrency") options.concurrency = parse_u64(value, 1'000).value_or(1);
    else if (name == "--rate") options.rate = parse_u64(value, 100'000).value_or(0);
    else if (name == "--rounds") options.rounds = static_cast<int>(parse_u64(value, 1'000).value_or(1));
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu") options.load_cpu = std::atoi(value.c_str());
    else if (name == "--io-threads") options.io_threads = std::atoi(value.c_str());
    else bench::die("unknown option " + name);
  }
  return options;
}

asio::awaitable<void> wait_until(asio::any_io_executor executor, SteadyClock::time_point when) {
  asio::steady_timer timer(executor, when);
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

asio::awaitable<void> client_loop(asio::any_io_executor executor, Load* load) {
  while (load->next < load->requests.size()) {
    const std::size_t mine = load->next++;
    auto due = SteadyClock::now();
    if (load->rate > 0) {
      due = load->began + std::chrono::nanoseconds(mine * 1'000'000'000 / load->rate);
      asio::awaitable<void> waiting = wait_until(executor, due);
      co_await std::move(waiting);
    }
    // Each node has its own address: the coordinator believes the connection, not the request.
    http::Client client(executor, load->endpoints[mine], load->tls);
    asio::awaitable<Result<http::Response>> sending = client.send(std::move(load->requests[mine]), std::chrono::seconds(30));
    const Result<http::Response> response = co_await std::move(sending);
    if (!response) bench::die("a join failed: " + response.error().message);
    if (response->status != 200) bench::die("a join failed: " + response->body);
    load->latencies_ms.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - due).count());
  }
}

// Keys and CSRs are the nodes' work, not the coordinator's: made before the measurement.
Load make_load(const bench::ClusterDir& cluster, const Options& options, int round) {
  Load load;
  load.rate = options.rate;
  load.tls = cluster.anonymous_tls();
  const std::string credential = cluster.new_token(options.joins);
  for (std::size_t i = 0; i < options.joins; ++i) {
    const std::size_t number = static_cast<std::size_t>(round) * 65536 + i;
    const bench::SimNode node("bench-" + std::to_string(number), bench::sim_address(number));
    load.requests.push_back(node.join_request(credential));
    load.endpoints.push_back(cluster.endpoint(node.address));
  }
  return load;
}

void one_round(const bench::ClusterDir& cluster, bench::ServerProcess& server, const Options& options, int round) {
  Load load = make_load(cluster, options, round);
  const bench::Usage before = server.usage();
  load.began = SteadyClock::now();
  const double seconds = bench::run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < options.concurrency; ++i) jobs.push_back(client_loop(executor, &load));
    return jobs;
  });
  const bench::Usage after = server.usage();
  const double cpu = after.cpu_seconds - before.cpu_seconds;
  const auto count = static_cast<double>(load.latencies_ms.size());
  std::printf("%5d %10.0f %14.0f %8.2f %8.2f %8.2f %8.0f%% %9.1f %6.2f\n", round, count / seconds, cpu / count * 1e6,
              bench::percentile(load.latencies_ms, 0.5), bench::percentile(load.latencies_ms, 0.99), bench::percentile(load.latencies_ms, 1.0),
              cpu / seconds * 100, static_cast<double>(after.rss_kib) / 1024, bench::load_average());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  bench::enter_own_network(bench::k_address);
  const bench::ClusterDir cluster(options.bin, options.dir, options.io_threads);
  bench::ServerProcess server(cluster.run_command(), options.server_cpu, cluster.path("log"));
  if (!server.wait_until_listening(bench::k_address, cluster.port())) bench::die("the coordinator has ended");
  bench::pin_this_thread(options.load_cpu);
  std::printf("join: token, 4 CSRs, 4 certificates, pod CIDR, TLS 1.3, durable; %zu joins a round, %zu at a time\n", options.joins, options.concurrency);
  std::printf("%5s %10s %14s %8s %8s %8s %9s %9s %6s\n", "round", "joins/s", "server us/join", "p50 ms", "p99 ms", "max ms", "core used", "RSS MiB", "load");
  for (int round = 0; round < options.rounds; ++round) one_round(cluster, server, options, round);
  return 0;
}
