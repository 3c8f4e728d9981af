// B1: joins a second. A join is connect, TLS 1.3 with the CA pinned, one request with a token and four CSRs, and the answer
// after the durable commit. The coordinator is the real program on one core, the load this program on another.
// Needs root: it makes a network name space of its own, because a coordinator on a loopback address is refused (rightly).
//   sudo join_bench --bin build/release/bin [--joins 2000] [--concurrency 32] [--rounds 5] [--server-cpu 0] [--load-cpu 1]
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "common/async/runtime.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "common/http/client.hpp"
#include "proto/codec.hpp"
#include "server_process.hpp"

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr char k_address[] = "10.99.0.1";

struct Options {
  std::string bin = "build/release/bin";
  std::size_t joins = 2000;
  std::size_t concurrency = 32;
  int rounds = 5;
  int server_cpu = 0;
  int load_cpu = 1;
};

struct Load {
  std::vector<std::string> bodies;  // one a join, encoded before the clock starts
  std::shared_ptr<http::TlsClientContext> tls;
  std::uint16_t port = 0;
  IpAddress first_address;
  std::size_t next = 0;
  std::size_t running = 0;
  std::vector<double> latencies_ms;
  std::size_t failures = 0;
  std::string first_failure;
  EventThread* thread = nullptr;
};

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "join_bench: %s\n", text.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result, const char* doing) {
  if (!result) die(std::string(doing) + ": " + result.error().message);
  return std::move(*result);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--joins") options.joins = *parse_u64(value, 50'000);
    else if (name == "--concurrency") options.concurrency = *parse_u64(value, 1'000);
    else if (name == "--rounds") options.rounds = static_cast<int>(*parse_u64(value, 1'000));
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu") options.load_cpu = std::atoi(value.c_str());
    else die("unknown option " + name);
  }
  return options;
}

// Keys and CSRs are the nodes' work, not the coordinator's: made before the measurement.
std::vector<std::string> make_bodies(const std::string& credential, int round, const IpAddress& first, std::size_t count) {
  std::vector<std::string> bodies;
  for (std::size_t i = 0; i < count; ++i) {
    proto::JoinRequest request;
    request.token = credential;
    request.node_name = "bench-" + std::to_string(round) + "-" + std::to_string(i);
    request.address = first.plus(i).to_string();
    for (const char* usage : {"agent", "kubeletClient", "kubeletServing", "kubeProxy"}) {
      request.csrs[usage] = must(make_csr(must(PrivateKey::generate_p256(), "key")), "csr");
    }
    bodies.push_back(proto::encode(request));
  }
  return bodies;
}

asio::awaitable<void> client_loop(Load* load) {
  while (load->next < load->bodies.size()) {
    http::Request request;
    request.method = http::Method::post;
    request.target = "/v1/join";
    request.headers.set("Content-Type", "application/json");
    const std::size_t mine = load->next++;
    request.body = load->bodies[mine];
    const auto started = SteadyClock::now();
    // Each node has its own address: the coordinator believes the connection, not the request.
    const http::Endpoint endpoint{k_address, load->port, load->first_address.plus(mine)};
    http::Client client(load->thread->executor(), endpoint, load->tls);
    asio::awaitable<Result<http::Response>> sending = client.send(std::move(request), std::chrono::seconds(30));
    const Result<http::Response> response = co_await std::move(sending);
    const std::chrono::duration<double, std::milli> took = SteadyClock::now() - started;
    if (response && response->status == 200) {
      load->latencies_ms.push_back(took.count());
    } else if (load->failures++ == 0) {
      load->first_failure = response ? std::to_string(response->status) + " " + response->body : response.error().message;
    }
  }
  if (--load->running == 0) load->thread->stop();
}

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// One round: all joins through `concurrency` clients. Returns seconds of wall time.
double drive(Load& load, std::size_t concurrency) {
  EventThread thread("load");
  load.thread = &thread;
  load.running = concurrency;
  for (std::size_t i = 0; i < concurrency; ++i) asio::co_spawn(thread.executor(), client_loop(&load), asio::detached);
  const auto started = SteadyClock::now();
  thread.run_here();
  return std::chrono::duration<double>(SteadyClock::now() - started).count();
}

std::string write_files(const std::string& dir, int port) {
  std::ofstream(dir + "/cluster.yaml")
      << "metadata: {name: bench}\napiServer: {endpoint: \"https://10.99.0.10:6443\"}\n"
         "coordinator: {addresses: [10.99.0.1], port: " << port << "}\n"
         "network: {podCIDR: 11.0.0.0/8, nodePrefixLength: 24, serviceCIDR: 172.20.0.0/16}\n"
         "versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}\n";
  std::ofstream(dir + "/coordinator.yaml") << "listen: 10.99.0.1:" << port << "\ndataDir: " << dir << "/data\nioThreads: 1\n";
  return dir;
}

void wait_until_answering(const std::vector<std::string>& ask) {
  for (int i = 0; i < 100; ++i) {
    if (bench::succeeds(ask)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  die("the coordinator does not answer");
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  bench::enter_own_network(k_address);
  char pattern[] = "/var/tmp/slipway-bench-XXXXXX";
  if (::mkdtemp(pattern) == nullptr) die("no temporary folder");
  const int port = bench::free_port();
  const std::string dir = write_files(pattern, port);
  bench::run_or_die({options.bin + "/slipway-coordinator", "init", "--config", dir + "/cluster.yaml", "--data-dir", dir + "/data",
                     "--admin-conf", dir + "/admin.conf", "--master-token-file", dir + "/master.token"});
  {
    bench::ServerProcess server({options.bin + "/slipway-coordinator", "run", "--config", dir + "/coordinator.yaml"}, options.server_cpu,
                                dir + "/log");
    wait_until_answering({options.bin + "/slipwayctl", "--config", dir + "/admin.conf", "cluster", "get"});
    bench::pin_this_thread(options.load_cpu);
    std::printf("join: token, 4 CSRs, 4 certificates, pod CIDR, TLS 1.3, durable; %zu joins a round, %zu at a time\n", options.joins, options.concurrency);
    std::printf("%5s %10s %14s %8s %8s %8s %9s %9s %6s\n", "round", "joins/s", "server us/join", "p50 ms", "p99 ms", "max ms", "core used", "RSS MiB", "load");
    for (int round = 0; round < options.rounds; ++round) {
      const std::string token = bench::run_or_die({options.bin + "/slipwayctl", "--config", dir + "/admin.conf", "token", "create", "--quiet",
                                                   "--max-uses", std::to_string(options.joins)});
      Load load;
      load.port = static_cast<std::uint16_t>(port);
      load.tls = must(http::TlsClientContext::make_pinned(token.substr(8, 64)), "tls");
      load.first_address = IpAddress::v4(0x64400001U).plus(static_cast<std::uint64_t>(round) * 65536);  // 100.64.0.0/10
      load.bodies = make_bodies(token.substr(token.find("::") + 2), round, load.first_address, options.joins);
      const bench::Usage before = server.usage();
      const double seconds = drive(load, options.concurrency);
      const bench::Usage after = server.usage();
      if (load.failures != 0) die(std::to_string(load.failures) + " joins failed, the first: " + load.first_failure);
      const double cpu = after.cpu_seconds - before.cpu_seconds;
      const auto count = static_cast<double>(load.latencies_ms.size());
      std::printf("%5d %10.0f %14.0f %8.2f %8.2f %8.2f %8.0f%% %9.1f %6.2f\n", round, count / seconds, cpu / count * 1e6,
                  percentile(load.latencies_ms, 0.5), percentile(load.latencies_ms, 0.99), percentile(load.latencies_ms, 1.0),
                  cpu / seconds * 100, static_cast<double>(after.rss_kib) / 1024, bench::load_average());
    }
  }
  std::filesystem::remove_all(dir);
  return 0;
}
