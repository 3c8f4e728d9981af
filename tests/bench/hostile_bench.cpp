// Slow and silent clients against nodes that do their work (T14, T15). Prints what nodes see before and during the attack; fails when an
// attacker is not dropped by its deadline, or when a node's request fails. Needs root.
//   sudo hostile_bench --bin build/release/bin [--attackers 5000] [--nodes 50] [--seconds 15] [--server-cpu 0] [--load-cpu 1]
// A fifth each: silent, a TLS record byte by byte, TLS and then silence, a header byte by byte, a body byte by byte. Who is dropped comes
// back after a second.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "common/http/tls_stream.hpp"
#include "server_process.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

enum class Kind { silent, record, idle, header, body };
constexpr const char* k_names[] = {"silent", "slow record", "silent in TLS", "slow header", "slow body"};
// The server's deadlines (common/http/server.hpp). A body follows a header; TLS comes before both.
constexpr double k_deadline_s[] = {5, 5, 10, 10, 15};
constexpr double k_margin_s = 5;  // the machine is full by design: what is late by seconds is still dropped

struct Options {
  std::string bin = "build/release/bin";
  std::size_t attackers = 5000;
  std::size_t nodes = 50;
  std::size_t seconds = 15;
  int server_cpu = 0;
  int load_cpu = 1;
};

struct Attack {
  const bench::ClusterDir* cluster = nullptr;
  std::shared_ptr<http::TlsClientContext> tls;
  SteadyClock::time_point begins, ends;  // of the attack; nodes work before it as well
  std::size_t connected = 0, most_connected = 0;
  std::array<std::size_t, 5> dropped{}, late{};
  std::array<double, 5> longest{};
  std::vector<double> before_ms, during_ms;        // kept connections
  std::vector<double> new_before_ms, new_during_ms;  // connect, mutual TLS, one request

  bool over() const { return SteadyClock::now() >= ends; }
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--attackers") options.attackers = parse_u64(value, 12'000).value_or(0);
    else if (name == "--nodes") options.nodes = parse_u64(value, 5'000).value_or(1);
    else if (name == "--seconds") options.seconds = parse_u64(value, 3'600).value_or(1);
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu") options.load_cpu = std::atoi(value.c_str());
    else bench::die("unknown option " + name);
  }
  return options;
}

asio::awaitable<void> pause(asio::any_io_executor executor, std::chrono::milliseconds time) {
  asio::steady_timer timer(executor, time);
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

bool closed_by_peer(tcp::socket& socket) {
  char byte = 0;
  const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

// Bare TCP: nothing at all, or the head of a TLS record, one byte a second.
asio::awaitable<void> attack_tcp(asio::any_io_executor executor, Attack* attack, tcp::socket socket, Kind kind) {
  constexpr unsigned char k_record[] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
  for (std::size_t i = 0; !closed_by_peer(socket) && !attack->over(); ++i) {
    if (kind == Kind::record && i % 5 == 0) (void)::send(socket.native_handle(), &k_record[i / 5 % sizeof k_record], 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    asio::awaitable<void> pausing = pause(executor, std::chrono::milliseconds(200));
    co_await std::move(pausing);
  }
}

std::string opening(Kind kind) {
  if (kind == Kind::header) return "GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ";
  if (kind == Kind::body) return "POST /v1/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{";
  return "";
}

asio::awaitable<void> attack_tls(Attack* attack, tcp::socket socket, Kind kind) {
  auto stream = http::TlsStream::client(std::move(socket), attack->tls, bench::k_address);
  if (!stream) co_return;
  asio::awaitable<Status> shaking = stream->handshake(attack->ends);
  Status alive = co_await std::move(shaking);
  std::string next = opening(kind);
  std::array<char, 1024> answer{};
  while (alive && !attack->over()) {
    if (!next.empty()) {
      asio::awaitable<Status> writing = stream->write(next, std::chrono::seconds(5));
      alive = co_await std::move(writing);
      if (!alive) break;
    }
    if (kind != Kind::idle) next = "a";
    asio::awaitable<Result<std::size_t>> reading = stream->read_some(answer.data(), answer.size(), SteadyClock::now() + std::chrono::milliseconds(500));
    const auto got = co_await std::move(reading);
    if ((got && *got == 0) || (!got && got.error().code != Errc::timeout)) break;
  }
}

asio::awaitable<void> attacker(asio::any_io_executor executor, Attack* attack, std::size_t number) {
  const auto kind = static_cast<Kind>(number % 5);
  const auto index = static_cast<std::size_t>(kind);
  const auto from = tcp::endpoint(asio::ip::make_address(bench::sim_address(65'536 + number).to_string()), 0);
  const auto to = tcp::endpoint(asio::ip::make_address(bench::k_address), attack->cluster->port());
  asio::awaitable<void> resting = pause(executor, std::chrono::duration_cast<std::chrono::milliseconds>(attack->begins - SteadyClock::now()) +
                                                      std::chrono::milliseconds(number % 2000));
  co_await std::move(resting);
  while (!attack->over()) {
    tcp::socket socket(executor, tcp::v4());
    boost::system::error_code ec;
    socket.bind(from, ec);
    if (!ec) co_await socket.async_connect(to, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) bench::die("an attacker cannot connect: " + ec.message());
    const auto start = SteadyClock::now();
    attack->most_connected = std::max(attack->most_connected, ++attack->connected);
    asio::awaitable<void> attacking = kind == Kind::silent || kind == Kind::record ? attack_tcp(executor, attack, std::move(socket), kind)
                                                                                  : attack_tls(attack, std::move(socket), kind);
    co_await std::move(attacking);
    --attack->connected;
    const double lived = std::chrono::duration<double>(SteadyClock::now() - start).count();
    if (!attack->over()) ++attack->dropped[index];
    if (lived > k_deadline_s[index] + k_margin_s) ++attack->late[index];
    attack->longest[index] = std::max(attack->longest[index], lived);
    asio::awaitable<void> returning = pause(executor, std::chrono::seconds(1));
    co_await std::move(returning);
  }
}

asio::awaitable<double> timed(http::Client* client, http::Request request) {
  const auto start = SteadyClock::now();
  asio::awaitable<Result<http::Response>> sending = client->send(std::move(request), std::chrono::seconds(30));
  const auto response = co_await std::move(sending);
  if (!response) bench::die("a node's request failed: " + response.error().message);
  if (response->status != 204) bench::die("a node's request was answered " + std::to_string(response->status));
  co_return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

// Ten reports a second on a kept connection, and one on a new connection.
asio::awaitable<void> honest(asio::any_io_executor executor, Attack* attack, const bench::SimNode* node, std::size_t number) {
  const auto tls = node->tls(attack->cluster->ca_pem());
  const auto settled = attack->begins + std::chrono::seconds(3);
  http::Client kept(executor, attack->cluster->endpoint(node->address), tls);
  asio::awaitable<void> spreading = pause(executor, std::chrono::milliseconds(number * 20 % 1000));
  co_await std::move(spreading);
  asio::awaitable<double> first = timed(&kept, node->status_request(1));
  co_await std::move(first);
  for (int i = 0; !attack->over(); ++i) {
    const auto now = SteadyClock::now();
    http::Client fresh(executor, attack->cluster->endpoint(node->address), tls);
    const bool is_new = i % 10 == 0;
    asio::awaitable<double> timing = timed(is_new ? &fresh : &kept, node->status_request(1));
    const double ms = co_await std::move(timing);
    if (now < attack->begins) (is_new ? attack->new_before_ms : attack->before_ms).push_back(ms);
    if (now > settled) (is_new ? attack->new_during_ms : attack->during_ms).push_back(ms);
    asio::awaitable<void> pausing = pause(executor, std::chrono::milliseconds(100));
    co_await std::move(pausing);
  }
}

// On a thread of its own that yields to the nodes': what is measured is how the server treats them, not how busy this program is.
void run_attackers(Attack* attack, std::size_t count) {
  if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19) != 0) bench::die("the attackers' thread cannot yield");
  bench::run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < count; ++i) jobs.push_back(attacker(executor, attack, i));
    return jobs;
  });
}

void tell(const char* what, const std::vector<double>& before, const std::vector<double>& during) {
  const double quiet = bench::percentile(before, 0.99), loud = bench::percentile(during, 0.99);
  std::printf("%-16s p50 %.2f -> %.2f ms, p99 %.2f -> %.2f ms (%.1f times), %zu and %zu requests, none failed\n", what, bench::percentile(before, 0.5),
              bench::percentile(during, 0.5), quiet, loud, loud / quiet, before.size(), during.size());
}

bool report(const Attack& attack) {
  bool dropped = true;
  std::printf("attackers connected at once: %zu\n", attack.most_connected);
  for (std::size_t kind = 0; kind < 5; ++kind) {
    std::printf("  %-14s dropped %6zu times, the longest lived %.1f s, %zu beyond its deadline\n", k_names[kind], attack.dropped[kind],
                attack.longest[kind], attack.late[kind]);
    dropped = dropped && attack.dropped[kind] > 0 && attack.late[kind] == 0;
  }
  tell("kept connection", attack.before_ms, attack.during_ms);
  tell("new connection", attack.new_before_ms, attack.new_during_ms);
  if (!dropped) std::printf("NOT DROPPED\n");
  return dropped;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (::geteuid() != 0) {
    std::printf("skipped: needs root\n");
    return 77;
  }
  bench::raise_descriptor_limit();
  bench::enter_own_network(bench::k_address);
  const bench::ClusterDir cluster(options.bin, "/var/tmp");
  bench::ServerProcess server(cluster.run_command(), options.server_cpu, cluster.path("log"));
  if (!server.wait_until_listening(bench::k_address, cluster.port())) bench::die("the coordinator has ended");
  bench::pin_this_thread(options.load_cpu);
  std::vector<bench::SimNode> nodes;
  for (std::size_t i = 0; i < options.nodes; ++i) nodes.emplace_back("bench-" + std::to_string(i), bench::sim_address(i));
  bench::join_all(cluster, nodes, 8);
  Attack attack;
  attack.cluster = &cluster;
  attack.tls = cluster.anonymous_tls();
  attack.begins = SteadyClock::now() + std::chrono::seconds(6);
  attack.ends = attack.begins + std::chrono::seconds(options.seconds);
  const bench::Usage before = server.usage();
  std::thread storm(run_attackers, &attack, options.attackers);
  bench::run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < nodes.size(); ++i) jobs.push_back(honest(executor, &attack, &nodes[i], i));
    return jobs;
  });
  storm.join();
  const bench::Usage after = server.usage();
  std::printf("server: %.1f s of CPU, resident %.1f MiB, load %.2f\n", after.cpu_seconds - before.cpu_seconds, static_cast<double>(after.rss_kib) / 1024,
              bench::load_average());
  return report(attack) ? 0 : 1;
}
