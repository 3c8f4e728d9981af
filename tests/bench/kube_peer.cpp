// A join as Kubernetes does it by itself: kube-controller-manager approves and signs the node's CSR and gives
// its Node a podCIDR.
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "peer.hpp"

namespace bench {

namespace asio = boost::asio;
using namespace slipway;
using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr char k_csrs[] = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr char k_nodes[] = "/api/v1/nodes";
const std::array<std::string, 2> k_kinds{k_csrs, k_nodes};  // in this order
constexpr std::size_t k_warm_up =
    16;  // joins before the clock starts; they use up the burst that default limits allow
constexpr std::chrono::seconds k_warm_up_limit{60};

struct KubeLoad {
  http::Endpoint server;
  std::shared_ptr<http::TlsClientContext> tls;
  std::vector<std::string> names;  // one a join
  std::vector<std::string> csrs;
  std::size_t next = 0;
  std::size_t end = 0;  // of those to be joined now
  SteadyClock::time_point deadline;
  std::set<std::string> granted;  // objects seen with what they were waiting for: PATH/NAME
  std::map<std::string, asio::steady_timer*> waiting;
  std::vector<double> latencies_ms;
};

// Has the object what a node waits for?
bool is_granted(const json& object) {
  if (object.value("kind", "") == "Node") return !object.at("spec").value("podCIDR", "").empty();
  return object.contains("status") && !object.at("status").value("certificate", "").empty();
}

void take_event(KubeLoad& load, const std::string& path, const std::string& line) {
  const json event = json::parse(line, nullptr, false);
  if (event.is_discarded() || !event.contains("object")) die("a watch brought " + line);
  const json& object = event.at("object");
  if (event.value("type", "") == "ERROR") die("a watch failed: " + line);
  if (!object.contains("spec") || !is_granted(object)) return;
  const std::string key = path + "/" + object.at("metadata").value("name", "");
  load.granted.insert(key);
  if (const auto found = load.waiting.find(key); found != load.waiting.end()) found->second->cancel();
}

// One watch for all nodes, where real nodes would have one each: less work for the server.
asio::awaitable<void> watch(asio::any_io_executor executor, KubeLoad* load, std::string path) {
  http::Client client(executor, load->server, load->tls);
  std::string pending;
  std::function<Status(std::string_view)> sink = [load, path, &pending](std::string_view chunk) {
    pending += chunk;
    std::size_t start = 0;
    for (std::size_t end = 0; (end = pending.find('\n', start)) != std::string::npos; start = end + 1) {
      take_event(*load, path, pending.substr(start, end - start));
    }
    pending.erase(0, start);
    return Status{};
  };
  http::Request request = json_request(http::Method::get, path + "?watch=1&resourceVersion=0", "");
  std::function<Status(const http::Response&)> begin;
  asio::awaitable<Result<http::Response>> fetching =
      client.fetch(std::move(request), std::move(sink), std::chrono::seconds(300), std::move(begin));
  const Result<http::Response> response = co_await std::move(fetching);
  die("a watch ended: " + (response ? std::to_string(response->status) : response.error().message));
}

asio::awaitable<void> wait_granted(asio::any_io_executor executor, KubeLoad* load, std::string key) {
  if (load->granted.contains(key)) co_return;
  asio::steady_timer timer(executor, load->deadline);
  load->waiting[key] = &timer;
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  load->waiting.erase(key);
}

std::string csr_object(const std::string& name, const std::string& csr) {
  return json{{"apiVersion", "certificates.k8s.io/v1"},
              {"kind", "CertificateSigningRequest"},
              {"metadata", {{"name", name}}},
              {"spec",
               {{"request", to_base64(csr)},
                {"signerName", "kubernetes.io/kube-apiserver-client-kubelet"},
                {"usages", {"digital signature", "key encipherment", "client auth"}}}}}
      .dump();
}

std::string node_object(const std::string& name) {
  return json{{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}}}}.dump();
}

asio::awaitable<void> join_loop(asio::any_io_executor executor, KubeLoad* load) {
  http::Client client(executor, load->server, load->tls);
  while (load->next < load->end && SteadyClock::now() < load->deadline) {
    const std::size_t mine = load->next++;
    const std::string& name = load->names[mine];
    const auto start = SteadyClock::now();
    for (const std::string& path : k_kinds) {
      std::string body = path == k_csrs ? csr_object(name, load->csrs[mine]) : node_object(name);
      asio::awaitable<Result<http::Response>> sending =
          client.send(json_request(http::Method::post, path, std::move(body)), std::chrono::seconds(60));
      const Result<http::Response> response = co_await std::move(sending);
      if (!response) die("creating an object: " + response.error().message);
      if (response->status != 201) die("creating an object: " + response->body);
      std::string key = path + "/" + name;
      asio::awaitable<void> waiting = wait_granted(executor, load, key);
      co_await std::move(waiting);
      if (!load->granted.contains(key)) co_return;  // the time is over
    }
    load->latencies_ms.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count());
  }
}

std::string url(int port) {
  return "https://" + std::string(k_address) + ":" + std::to_string(port);
}

std::vector<std::string> apiserver_command(const PeerOptions& options, const PeerDir& dir, int port,
                                           const std::string& etcd) {
  const std::string certificate = dir.path("server.crt");
  const std::string key = dir.path("server.key");
  const std::string folder = options.kubernetes_dir.empty() ? "" : options.kubernetes_dir + "/";
  return {folder + "kube-apiserver",
          "--bind-address=" + std::string(k_address),
          "--advertise-address=" + std::string(k_address),
          "--endpoint-reconciler-type=none",
          "--secure-port=" + std::to_string(port),
          "--insecure-port=0",
          "--anonymous-auth=false",
          "--authorization-mode=Node,RBAC",
          "--enable-admission-plugins=NodeRestriction",
          "--service-cluster-ip-range=172.20.0.0/16",
          "--service-account-issuer=https://kubernetes.default.svc",
          "--service-account-key-file=" + certificate,
          "--service-account-signing-key-file=" + key,
          "--client-ca-file=" + dir.path("ca.crt"),
          "--tls-cert-file=" + certificate,
          "--tls-private-key-file=" + key,
          "--etcd-servers=" + etcd};
}

// Only what a join needs runs in it, and nobody else wants to lead.
std::vector<std::string> manager_command(const PeerOptions& options, const PeerDir& dir, int port) {
  const std::string folder = options.kubernetes_dir.empty() ? "" : options.kubernetes_dir + "/";
  std::vector<std::string> command{folder + "kube-controller-manager",
                                   "--kubeconfig=" + dir.path("kubeconfig"),
                                   "--bind-address=" + std::string(k_address),
                                   "--secure-port=" + std::to_string(port),
                                   "--port=0",
                                   "--leader-elect=false",
                                   "--controllers=csrapproving,csrsigning,nodeipam",
                                   "--allocate-node-cidrs",
                                   "--cluster-cidr=11.0.0.0/8",
                                   "--node-cidr-mask-size=24",
                                   "--service-cluster-ip-range=172.20.0.0/16",
                                   "--cluster-signing-cert-file=" + dir.path("ca.crt"),
                                   "--cluster-signing-key-file=" + dir.path("ca.key")};
  if (options.kube_api_qps > 0) {
    command.push_back("--kube-api-qps=" + std::to_string(options.kube_api_qps));
    command.push_back("--kube-api-burst=" + std::to_string(2 * options.kube_api_qps));
  }
  return command;
}

// Without TLS, to its advantage; returns its URL.
std::string start_etcd(const PeerOptions& options, const PeerDir& dir, PeerProcesses& servers) {
  const int port = free_port();
  const std::string url = "http://" + std::string(k_address) + ":" + std::to_string(port);
  const std::string nobody = "http://" + std::string(k_address) + ":0";  // a cluster of one needs no peers
  servers.start("etcd",
                {options.etcd, "--name=peer", "--data-dir=" + dir.path("etcd"), "--listen-client-urls=" + url,
                 "--advertise-client-urls=" + url, "--listen-peer-urls=" + nobody,
                 "--initial-advertise-peer-urls=" + nobody, "--initial-cluster=peer=" + nobody,
                 "--logger=zap", "--log-level=warn"},
                port);
  return url;
}

void write_kubeconfig(const PeerDir& dir, const test::TestCert& identity, int port) {
  dir.write("admin.crt", identity.certificate_pem);
  dir.write("admin.key", identity.key_pem);
  dir.write("kubeconfig",
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, "
            "user: u}}]\n"
            "clusters: [{name: c, cluster: {server: \"" +
                url(port) + "\", certificate-authority: " + dir.path("ca.crt") +
                "}}]\n"
                "users: [{name: u, user: {client-certificate: " +
                dir.path("admin.crt") + ", client-key: " + dir.path("admin.key") + "}}]\n");
}

void wait_ready(PeerProcesses& servers, const KubeLoad& load) {
  for (;;) {
    const auto response = send_now(load.server, load.tls, json_request(http::Method::get, "/readyz", ""));
    if (response && response->status == 200) return;
    if (!servers.running()) die("kube-apiserver or etcd has ended");
    ::usleep(100'000);
  }
}

// Joins `count` more nodes, or as many as the deadline allows; seconds of wall time.
double join_more(KubeLoad& load, std::size_t count, std::chrono::seconds limit, std::size_t concurrency) {
  load.latencies_ms.clear();
  load.end = load.next + count;
  load.deadline = SteadyClock::now() + limit;
  return run_together([&](asio::any_io_executor executor) {
    // These end with the thread, not by themselves.
    for (const std::string& path : k_kinds)
      asio::co_spawn(executor, watch(executor, &load, path), asio::detached);
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < concurrency; ++i) jobs.push_back(join_loop(executor, &load));
    return jobs;
  });
}

}  // namespace

Figures measure_kubernetes(const PeerOptions& options) {
  const PeerDir dir(options.dir);
  const int api_port = free_port();
  const test::TestCert admin = dir.client("bench", "system:masters");
  KubeLoad load;
  load.server = {k_address, static_cast<std::uint16_t>(api_port)};
  load.tls = dir.tls(admin);
  write_kubeconfig(dir, admin, api_port);
  PeerProcesses servers(dir, options.server_cpu);
  const std::string etcd = start_etcd(options, dir, servers);
  servers.start("kube-apiserver", apiserver_command(options, dir, api_port, etcd), api_port);
  pin_this_thread(options.load_cpu);
  wait_ready(servers, load);
  const int manager_port = free_port();
  servers.start("kube-controller-manager", manager_command(options, dir, manager_port), manager_port);
  for (std::size_t i = 0; i < options.requests + k_warm_up; ++i) {
    load.names.push_back("node-" + std::to_string(i));
    load.csrs.push_back(named_csr("system:nodes", "system:node:" + load.names.back()));
  }
  join_more(load, k_warm_up, k_warm_up_limit, k_warm_up);
  if (load.latencies_ms.size() < k_warm_up) die("no joins: " + dir.end_of("kube-controller-manager.log"));
  const Usage before = servers.usage();
  const double seconds =
      join_more(load, options.requests, std::chrono::seconds(options.seconds), options.concurrency);
  const Usage after = servers.usage();
  return {seconds, after.cpu_seconds - before.cpu_seconds, after.rss_kib, std::move(load.latencies_ms)};
}

}  // namespace bench
