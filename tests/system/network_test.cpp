// The pod network of other backends than the first cluster's, under the real kubelet: clusters of a master and two nodes, made and removed here.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "common/core/ip.hpp"
#include "common/core/unique_fd.hpp"
#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;

namespace {

std::string lab_tool() { return std::string(SLIPWAY_SOURCE_DIR) + "/packaging/lab/slipway-lab"; }
// As a JSON string: no control characters are in it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}
std::string quickstart() { return std::string(SLIPWAY_SOURCE_DIR) + "/packaging/quickstart"; }

class Cluster {
 public:
  Cluster(std::string name, std::string prefix, lab::Words options) : name_(std::move(name)), prefix_(std::move(prefix)) {
    lab::Words words = {quickstart(), "--name", name_, "--net", prefix_ + ".0/24", "--rebuild"};
    words.insert(words.end(), options.begin(), options.end());
    made_ = lab::run(words, 900s);
  }
  ~Cluster() { lab::run({quickstart(), "--name", name_, "--down"}, 120s); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const lab::Outcome& made() const { return made_; }
  std::string bridge_address() const { return prefix_ + ".1"; }
  std::string node_address(int number) const { return prefix_ + "." + std::to_string(10 + number); }

  lab::Outcome on(const std::string& host, const lab::Words& argv) const {
    lab::Words words = {"exec", name_, host};
    words.insert(words.end(), argv.begin(), argv.end());
    return lab::tool(words);
  }
  std::string must(const std::string& host, const lab::Words& argv) const {
    const lab::Outcome outcome = on(host, argv);
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.ok());
    return outcome.out.substr(0, outcome.out.find_last_not_of(" \n") + 1);
  }
  std::string fetched_in_pod(const std::string& url) const {
    return on("master", {"kubectl", "exec", "check-client", "--", "/bin/busybox", "timeout", "5", "/bin/busybox", "wget", "-q", "-O", "-", url}).out;
  }
  void remove() const {
    const auto removed = lab::run({quickstart(), "--name", name_, "--down"}, 120s);
    INFO(removed.out << removed.err);
    CHECK(removed.ok());
    CHECK(lab::tool({"traces", name_}).out.empty());
  }

 private:
  std::string name_, prefix_;
  lab::Outcome made_;
};

constexpr char k_web[] = "hello from check-web\n";

sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, address.c_str(), &at.sin_addr) == 1);
  return at;
}

void be_patient(const slipway::UniqueFd& fd) {
  const timeval patience{5, 0};
  for (const int what : {SO_RCVTIMEO, SO_SNDTIMEO}) ::setsockopt(fd.get(), SOL_SOCKET, what, &patience, sizeof patience);
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
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) answer.append(buffer.data(), static_cast<std::size_t>(got));
  const auto body = answer.find("\r\n\r\n");
  return body == std::string::npos ? std::string() : answer.substr(body + 4);
}

// Each node answers at the service's node port, those without the pod too.
void check_node_port(const Cluster& cluster) {
  cluster.must("master", {"kubectl", "patch", "service", "check-web", "--patch", R"({"spec":{"type":"NodePort","ports":[{"port":80,"targetPort":8080,"nodePort":30080}]}})"});
  for (int node = 0; node <= 2; ++node) {
    const std::string address = cluster.node_address(node);
    lab::eventually("an answer at the node port of " + address, 60s, [&] { return fetched_from_outside(address, 30080) == k_web; }, {});
  }
}

// Says over HTTP whose address it is asked from, and to whoever holds it. On this machine, at the end of the hosts' network.
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
      const slipway::UniqueFd client(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
      if (!client) return;
      be_patient(client);
      std::array<char, 4096> request{};
      (void)::recv(client.get(), request.data(), request.size(), 0);
      std::array<char, INET_ADDRSTRLEN> text{};
      ::inet_ntop(AF_INET, &from.sin_addr, text.data(), text.size());
      const std::string body = text.data();
      const std::string answer = "HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }
  slipway::UniqueFd listener_;
  std::string url_;
  std::thread thread_;
};

// What leaves the cluster has its node's address, what stays has the pod's own.
void check_sources(const Cluster& cluster) {
  const std::string pod = cluster.must("master", {"kubectl", "get", "pod", "check-client", "-o", "jsonpath={.status.podIP}"});
  const std::string web = cluster.must("master", {"kubectl", "get", "pod", "check-web", "-o", "jsonpath={.status.podIP}"});
  cluster.must("master", {"kubectl", "exec", "check-web", "--", "/bin/busybox", "sh", "-c",
                          "mkdir -p /www/cgi-bin && printf '#!/bin/busybox sh\\necho; echo $REMOTE_ADDR\\n' >/www/cgi-bin/who && chmod 755 /www/cgi-bin/who"});
  std::string seen = cluster.fetched_in_pod("http://" + web + ":8080/cgi-bin/who");
  // busybox tells IPv4 clients of its IPv6 socket as mapped.
  CHECK(seen.find(pod) != std::string::npos);
  const WhoAsks outside(cluster.bridge_address());
  CHECK(cluster.fetched_in_pod(outside.url()) == cluster.node_address(2));
}

// The bridge plugin gave the pod an address of the node's block of IPv6, and the tunnel carries both families.
void check_ipv6(const Cluster& cluster) {
  const std::string addresses = cluster.must("master", {"kubectl", "exec", "check-web", "--", "/bin/busybox", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"});
  const auto begin = addresses.find("inet6 fd00:10:10:");
  REQUIRE(begin != std::string::npos);
  const std::string address = addresses.substr(begin + 6, addresses.find('/', begin) - begin - 6);
  lab::eventually("an answer by IPv6 from " + address, 30s, [&] { return cluster.fetched_in_pod("http://[" + address + "]:8080/") == k_web; }, {});
}

}  // namespace

TEST_CASE("system 83: pods of a vxlan cluster reach each other in both families, services, node ports and the world", "[system][network]") {
  const Cluster cluster("sysvx", "10.83.0", {"--backend", "vxlan", "--dual-stack"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  // The quickstart has asked a pod on the other host by its address and by its service's.
  REQUIRE(cluster.made().out.find("pod to pod:") != std::string::npos);
  REQUIRE(cluster.made().out.find("pod to service:") != std::string::npos);
  check_node_port(cluster);
  check_sources(cluster);
  check_ipv6(cluster);
  cluster.must("node1", {"ip", "link", "show", "dev", "slipway-vx"});
  cluster.remove();
}

namespace {

// As the installers of network plugins do it: a pod with the host's network and folders, on each node, that lays down a program and then,
// by a rename, the configuration. The plugin is Debian's ptp, under another name so that it cannot be taken for one of ours.
std::string installer(const std::string& node, const std::string& block) {
  const std::string config =
      R"({"cniVersion":"0.4.0","name":"foreign","plugins":[{"type":"foreign-ptp","ipMasq":true,"ipam":{"type":"host-local","subnet":")" + block +
      R"(","routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]})";
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"install-)" + node +
         R"("},"spec":{"hostNetwork":true,"nodeName":")" + node +
         R"(","tolerations":[{"operator":"Exists"}],"restartPolicy":"Never","containers":[{"name":"install","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
         R"("command":["/bin/busybox","sh","-ec","/bin/busybox cp /theirs/ptp /opt-cni-bin/foreign-ptp; echo \"$CONFIG\" >/net.d/.foreign; /bin/busybox mv /net.d/.foreign /net.d/10-foreign.conflist"],)"
         R"("env":[{"name":"CONFIG","value":)" + quoted(config) +
         R"(}],"volumeMounts":[{"name":"bin","mountPath":"/opt-cni-bin"},{"name":"conf","mountPath":"/net.d"},{"name":"theirs","mountPath":"/theirs"}]}],)"
         R"("volumes":[{"name":"bin","hostPath":{"path":"/opt/cni/bin","type":"DirectoryOrCreate"}},{"name":"conf","hostPath":{"path":"/etc/cni/net.d","type":"DirectoryOrCreate"}},)"
         R"({"name":"theirs","hostPath":{"path":"/opt/slipway/cni-plugins/current"}}]}})";
}

}  // namespace

TEST_CASE("system 84: somebody else's network plugin, installed by a pod, carries the pods of an external cluster", "[system][network]") {
  const Cluster cluster("sysext", "10.84.0", {"--backend", "external", "--nodes", "1"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  const auto ready = [&cluster](const std::string& node) {
    return cluster.on("master", {"kubectl", "get", "node", node, "-o", R"(jsonpath={.status.conditions[?(@.type=="Ready")].status})"}).out;
  };
  lab::eventually("both nodes to be registered", 120s, [&] { return !ready("master").empty() && !ready("node1").empty(); }, {});
  REQUIRE(ready("node1") == "False");
  for (const char* node : {"master", "node1"}) {
    // Nothing of our own network is there, and the block is published for the plugin.
    CHECK(cluster.must(node, {"ip", "route", "show", "proto", "77"}).empty());
    CHECK_FALSE(cluster.on(node, {"nft", "list", "table", "ip", "slipway"}).ok());
    std::string block;
    lab::eventually("the pod range of " + std::string(node), 60s, [&] {
      block = cluster.on("master", {"kubectl", "get", "node", node, "-o", "jsonpath={.spec.podCIDR}"}).out;
      return !block.empty();
    }, {});
    const auto installed = lab::run({lab_tool(), "exec", "sysext", "master", "kubectl", "apply", "-f", "-"}, 60s, installer(node, block));
    INFO(installed.out << installed.err);
    REQUIRE(installed.ok());
  }
  lab::eventually("both nodes to be Ready", 120s, [&] { return ready("master") == "True" && ready("node1") == "True"; }, {});
  const char* pods = R"({"apiVersion":"v1","kind":"List","items":[)"
                     R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"nodeName":"node1","containers":[{"name":"main","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
                     R"("command":["/bin/busybox","sh","-c","echo hello from check-web >/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"]}]}},)"
                     R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"check-client"},"spec":{"nodeName":"node1","containers":[{"name":"main","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
                     R"("command":["/bin/busybox","sleep","2147483647"]}]}}]})";
  REQUIRE(lab::run({lab_tool(), "exec", "sysext", "master", "kubectl", "apply", "-f", "-"}, 60s, pods).ok());
  std::string web;
  lab::eventually("an answer from pod to pod through the foreign plugin", 120s, [&] {
    web = cluster.on("master", {"kubectl", "get", "pod", "web", "-o", "jsonpath={.status.podIP}"}).out;
    return !web.empty() && cluster.fetched_in_pod("http://" + web + ":8080/") == k_web;
  }, {});
  const auto block = slipway::Cidr::parse(cluster.must("master", {"kubectl", "get", "node", "node1", "-o", "jsonpath={.spec.podCIDR}"}));
  const auto address = slipway::IpAddress::parse(web);
  REQUIRE(block);
  REQUIRE(address);
  CHECK(block->contains(*address));
  // A pass of ours later the plugin's files are as it left them.
  CHECK(cluster.must("node1", {"ls", "/etc/cni/net.d"}) == "10-foreign.conflist");
  CHECK(cluster.must("node1", {"ls", "/opt/cni/bin"}) == "foreign-ptp");
  cluster.remove();
}
