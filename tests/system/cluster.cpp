#include "cluster.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "slipway_test_paths.hpp"

namespace lab {

using namespace std::chrono_literals;

namespace {

std::string quickstart() {
  return std::string(SLIPWAY_SOURCE_DIR) + "/packaging/quickstart";
}

sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, address.c_str(), &at.sin_addr) == 1);
  return at;
}

void be_patient(const slipway::UniqueFd& fd) {
  const timeval patience{5, 0};
  for (const int what : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd.get(), SOL_SOCKET, what, &patience, sizeof patience);
}

// From this machine, which is no part of the cluster. Empty: no answer in five seconds.
std::string fetched_from_outside(const std::string& address, std::uint16_t port) {
  const slipway::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  be_patient(fd);
  const sockaddr_in at = socket_address(address, port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return {};
  const std::string request = "GET / HTTP/1.0\r\n\r\n";
  (void)::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;)
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  const auto body = answer.find("\r\n\r\n");
  return body == std::string::npos ? std::string() : answer.substr(body + 4);
}

// Says over HTTP whose address it is asked from, and to whoever holds it. On this machine, at the end of the
// hosts' network.
class WhoAsks {
 public:
  explicit WhoAsks(const std::string& address) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at = socket_address(address, 0);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
    url_ = "http://" + address + ":" + std::to_string(ntohs(at.sin_port)) + "/";
    thread_ = std::thread([this] { serve(); });
  }
  ~WhoAsks() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  WhoAsks(const WhoAsks&) = delete;
  WhoAsks& operator=(const WhoAsks&) = delete;
  const std::string& url() const { return url_; }

 private:
  void serve() const {
    for (;;) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const slipway::UniqueFd client(
          ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
      if (!client) return;
      be_patient(client);
      std::array<char, 4096> request{};
      (void)::recv(client.get(), request.data(), request.size(), 0);
      std::array<char, INET_ADDRSTRLEN> text{};
      ::inet_ntop(AF_INET, &from.sin_addr, text.data(), text.size());
      const std::string body = text.data();
      const std::string answer =
          "HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }
  slipway::UniqueFd listener_;
  std::string url_;
  std::thread thread_;
};

// A service of its own: the quickstart's is other tests', too.
class NodePort {
 public:
  static constexpr std::uint16_t k_port = 30080;
  explicit NodePort(const Cluster& cluster) : cluster_(cluster) {
    cluster_.apply(
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"check-port"},"spec":{"type":"NodePort","selector":{"app":"check-web"},)"
        R"("ports":[{"port":80,"targetPort":8080,"nodePort":)" +
        std::to_string(k_port) + "}]}}");
  }
  ~NodePort() { cluster_.on("master", {"kubectl", "delete", "service", "check-port", "--ignore-not-found"}); }
  NodePort(const NodePort&) = delete;
  NodePort& operator=(const NodePort&) = delete;

 private:
  const Cluster& cluster_;
};

}  // namespace

std::string Cluster::address_of(const std::string& host) const {
  const std::string text = must(host, {"sed", "-n", "s/^ADDRESS=//p", "/etc/slipway-lab/address"});
  REQUIRE_FALSE(text.empty());
  return text;
}

Outcome Cluster::on(const std::string& host, const Words& argv) const {
  Words words = {"exec", name_, host};
  words.insert(words.end(), argv.begin(), argv.end());
  return tool(words);
}

std::string Cluster::must(const std::string& host, const Words& argv) const {
  const Outcome outcome = on(host, argv);
  INFO(host << ": " << slipway::join(argv, " ") << "\n" << outcome.out << outcome.err);
  REQUIRE(outcome.ok());
  return std::string(slipway::trim(outcome.out));
}

std::string Cluster::fetched_in_pod(const std::string& url) const {
  return on("master", {"kubectl", "exec", "check-client", "--", "/bin/busybox", "timeout", "5",
                       "/bin/busybox", "wget", "-q", "-O", "-", url})
      .out;
}

std::string Cluster::pod_address(const std::string& pod) const {
  return must("master", {"kubectl", "get", "pod", pod, "-o", "jsonpath={.status.podIP}"});
}

void Cluster::apply(const std::string& json) const {
  const Words argv = {std::string(SLIPWAY_SOURCE_DIR) + "/packaging/lab/slipway-lab",
                      "exec",
                      name_,
                      "master",
                      "kubectl",
                      "apply",
                      "-f",
                      "-"};
  const Outcome applied = run(argv, 60s, json);
  INFO(applied.out << applied.err);
  REQUIRE(applied.ok());
}

Cluster shared_cluster() {
  return Cluster(cluster_name(), network_prefix());
}

OwnCluster::OwnCluster(std::string name, std::string prefix, const Words& options)
    : Cluster(std::move(name), prefix) {
  Words words = {quickstart(), "--name", this->name(), "--net", prefix + ".0/24", "--rebuild"};
  words.insert(words.end(), options.begin(), options.end());
  made_ = run(words, 900s);
}

OwnCluster::~OwnCluster() {
  run({quickstart(), "--name", name(), "--down"}, 120s);
}

void OwnCluster::remove() const {
  const Outcome removed = run({quickstart(), "--name", name(), "--down"}, 120s);
  INFO(removed.out << removed.err);
  CHECK(removed.ok());
  CHECK(tool({"traces", name()}).out.empty());
}

void check_node_port(const Cluster& cluster) {
  const NodePort service(cluster);
  for (const char* host : {"master", "node1", "node2"}) {
    const std::string address = cluster.address_of(host);
    eventually("an answer at the node port of " + address, 60s,
               [&] { return fetched_from_outside(address, NodePort::k_port) == k_web; }, {});
  }
}

void check_sources(const Cluster& cluster) {
  const std::string pod = cluster.pod_address("check-client");
  const std::string web = cluster.pod_address("check-web");
  cluster.must("master", {"kubectl", "exec", "check-web", "--", "/bin/busybox", "sh", "-c",
                          "mkdir -p /www/cgi-bin && printf '#!/bin/busybox sh\\necho; echo $REMOTE_ADDR\\n' "
                          ">/www/cgi-bin/who && chmod 755 /www/cgi-bin/who"});
  const std::string seen = cluster.fetched_in_pod("http://" + web + ":8080/cgi-bin/who");
  // busybox tells IPv4 clients of its IPv6 socket as mapped.
  CHECK(seen.find(pod) != std::string::npos);
  const WhoAsks outside(cluster.bridge_address());
  CHECK(cluster.fetched_in_pod(outside.url()) == cluster.address_of("node2"));
}

}  // namespace lab
