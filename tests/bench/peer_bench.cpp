// Other people's servers under the load that ours get: tests/bench/peers runs it. One core for the server,
// one for the load. Needs root.
//   sudo peer_bench cfssl|cfssl-tls|nginx|kubernetes [--requests 2000] [--concurrency 32] [--server-cpu 0]
//   [--load-cpu 1] [--dir /var/tmp]
//        [--kubernetes-dir DIR] [--etcd FILE] [--kube-api-qps 0] [--seconds 60]
// cfssl: one CSR, one certificate on a kept connection without TLS, as `cfssl serve` comes. cfssl-tls:
// connect, mutual TLS, four CSRs one after the other, close: what a renewal is with us. nginx: connect,
// mutual TLS, a tiny answer, close. kubernetes: a CSR approved and signed, then a Node given its podCIDR, by
// kube-apiserver, kube-controller-manager and etcd.
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "connection_load.hpp"
#include "peer.hpp"

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace bench {

namespace {

constexpr std::size_t k_clients = 64;      // certificates that the connections show in turn
constexpr std::size_t k_certificates = 4;  // of a node's renewal
constexpr char k_sign[] = "/api/v1/cfssl/sign";

// Connections from many addresses, as nodes': one address would run out of ports.
ConnectionLoad connections_to(const PeerDir& dir, int port, std::size_t count) {
  ConnectionLoad load;
  for (std::size_t i = 0; i < k_clients; ++i) {
    load.endpoints.push_back({k_address, static_cast<std::uint16_t>(port), sim_address(i)});
    load.contexts.push_back(dir.tls(dir.client("node-" + std::to_string(i), "")));
  }
  load.connections = count;
  return load;
}

Figures measure_connections(ConnectionLoad load, const PeerProcesses& server, std::size_t concurrency) {
  const Usage before = server.usage();
  const double seconds = run_connections(load, concurrency);
  const Usage after = server.usage();
  return {seconds, after.cpu_seconds - before.cpu_seconds, after.rss_kib, std::move(load.latencies_ms)};
}

std::string sign_body() {
  const PrivateKey key = must(PrivateKey::generate_p256(), "key");
  return nlohmann::json{{"certificate_request", must(make_csr(key), "csr")}, {"hosts", {"node-1.example"}}}
      .dump();
}

struct PlainLoad {
  asio::ip::tcp::endpoint server;
  std::string message;
  std::size_t left = 0;
  std::vector<double> latencies_ms;
};

// The end of the first message in `text`; npos: not all of it is there.
std::size_t end_of_message(const std::string& text) {
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string::npos) return head;
  const std::size_t field = lower(text.substr(0, head)).find("content-length: ");
  if (field == std::string::npos) die("an answer without its length: " + text);
  const std::size_t end = head + 4 + static_cast<std::size_t>(std::atol(text.c_str() + field + 16));
  return text.size() < end ? std::string::npos : end;
}

asio::awaitable<void> sign_plain(asio::any_io_executor executor, PlainLoad* load) {
  asio::ip::tcp::socket socket(executor);
  co_await socket.async_connect(load->server, asio::use_awaitable);
  socket.set_option(asio::ip::tcp::no_delay(true));
  std::string answer;
  std::string block(16'384, '\0');
  while (load->left > 0) {
    --load->left;
    const auto start = SteadyClock::now();
    co_await asio::async_write(socket, asio::buffer(load->message), asio::use_awaitable);
    for (answer.clear(); end_of_message(answer) == std::string::npos;) {
      const std::size_t got = co_await socket.async_read_some(asio::buffer(block), asio::use_awaitable);
      answer.append(block, 0, got);
    }
    if (answer.find("\"success\":true") == std::string::npos) die("cfssl answered " + answer);
    load->latencies_ms.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count());
  }
}

asio::awaitable<void> plain_loop(asio::any_io_executor executor, PlainLoad* load) {
  try {
    asio::awaitable<void> signing = sign_plain(executor, load);
    co_await std::move(signing);
  } catch (const std::exception& error) {
    die(std::string("a request failed: ") + error.what());
  }
}

Figures measure_plain(const PeerOptions& options, const PeerProcesses& server, int port) {
  const std::string body = sign_body();
  PlainLoad load;
  load.server = {asio::ip::make_address(k_address), static_cast<std::uint16_t>(port)};
  load.message = std::string("POST ") + k_sign + " HTTP/1.1\r\nHost: " + k_address +
                 "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body;
  load.left = options.requests;
  const Usage before = server.usage();
  const double seconds = run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < options.concurrency; ++i) jobs.push_back(plain_loop(executor, &load));
    return jobs;
  });
  const Usage after = server.usage();
  return {seconds, after.cpu_seconds - before.cpu_seconds, after.rss_kib, std::move(load.latencies_ms)};
}

// One process that is master and worker: what it costs is then the child's own figure. No resumption and no
// log, as with us.
std::string nginx_conf(int port) {
  const std::string listen = std::string(k_address) + ":" + std::to_string(port);
  return R"(daemon off; master_process off; pid nginx.pid; error_log nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ssl_protocols TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
  ssl_certificate server.crt; ssl_certificate_key server.key; ssl_client_certificate ca.crt; ssl_verify_client on;
  server {
    listen )" + listen + R"( ssl;
    location = /livez { return 200 "ok\n"; }
  }
})";
}

PeerOptions parse(int argc, char** argv) {
  PeerOptions options;
  if (argc > 1) options.peer = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--dir")
      options.dir = value;
    else if (name == "--kubernetes-dir")
      options.kubernetes_dir = value;
    else if (name == "--etcd")
      options.etcd = value;
    else if (name == "--requests")
      options.requests = parse_u64(value).value_or(1);
    else if (name == "--concurrency")
      options.concurrency = parse_u64(value, 1'000).value_or(1);
    else if (name == "--kube-api-qps")
      options.kube_api_qps = std::atoi(value.c_str());
    else if (name == "--seconds")
      options.seconds = std::atoi(value.c_str());
    else if (name == "--server-cpu")
      options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu")
      options.load_cpu = std::atoi(value.c_str());
    else
      die("unknown option " + name);
  }
  return options;
}

Figures measure(const PeerOptions& options) {
  if (options.peer == "nginx") return measure_nginx(options);
  if (options.peer == "kubernetes") return measure_kubernetes(options);
  if (options.peer == "cfssl" || options.peer == "cfssl-tls") return measure_cfssl(options);
  die("no such peer: " + options.peer + " (cfssl, cfssl-tls, nginx, kubernetes)");
}

}  // namespace

Figures measure_cfssl(const PeerOptions& options) {
  const PeerDir dir(options.dir);
  const int port = free_port();
  // Level 4: no line in the log for each signature, to its advantage.
  std::vector<std::string> command{"cfssl", "serve", "-address=" + std::string(k_address), "-loglevel=4"};
  command.push_back("-port=" + std::to_string(port));
  command.push_back("-ca=" + dir.path("ca.crt"));
  command.push_back("-ca-key=" + dir.path("ca.key"));
  const bool tls = options.peer == "cfssl-tls";
  if (tls) {
    command.push_back("-tls-cert=" + dir.path("server.crt"));
    command.push_back("-tls-key=" + dir.path("server.key"));
    command.push_back("-mutual-tls-ca=" + dir.path("ca.crt"));
  }
  PeerProcesses server(dir, options.server_cpu);
  server.start("cfssl", command, port);
  pin_this_thread(options.load_cpu);
  if (!tls) return measure_plain(options, server, port);
  ConnectionLoad load = connections_to(dir, port, options.requests);
  load.requests.assign(k_certificates, json_request(http::Method::post, k_sign, sign_body()));
  load.expected = "\"success\":true";
  return measure_connections(std::move(load), server, options.concurrency);
}

Figures measure_nginx(const PeerOptions& options) {
  const PeerDir dir(options.dir);
  const int port = free_port();
  dir.write("nginx.conf", nginx_conf(port));
  PeerProcesses server(dir, options.server_cpu);
  server.start("nginx",
               {"nginx", "-p", dir.path(""), "-c", dir.path("nginx.conf"), "-e", dir.path("nginx.log")},
               port);
  pin_this_thread(options.load_cpu);
  ConnectionLoad load = connections_to(dir, port, options.requests);
  load.requests.push_back(json_request(http::Method::get, "/livez", ""));
  load.expected = "ok";
  return measure_connections(std::move(load), server, options.concurrency);
}

}  // namespace bench

int main(int argc, char** argv) {
  const bench::PeerOptions options = bench::parse(argc, argv);
  bench::raise_descriptor_limit();
  bench::enter_own_network(bench::k_address);
  bench::print_figures(options.peer, bench::measure(options));
  return 0;
}
