#include "tests/support/real_kube_api.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "common/core/unique_fd.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds k_start_limit{120};  // far more than a busy machine needs
constexpr int k_poll_ms = 50;
constexpr int k_port_attempts = 5;

// Free a moment ago: whoever starts a server on it must be ready to take another one.
std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

bool answers_ok(std::uint16_t port, const TestCert& identity, const std::string& path) {
  try {
    RawTlsClient client(port, &identity);
    if (!client.handshake()) return false;
    client.write("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client.read_until("\r\n").starts_with("HTTP/1.1 200");
  } catch (const std::runtime_error&) {
    return false;  // nobody listens yet
  }
}

// False: the process ended, as it does when its port is taken, or the limit is over.
bool wait_ready(ChildProcess& process, std::uint16_t port, const TestCert& identity,
                const std::string& path) {
  const auto deadline = steady_clock::now() + k_start_limit;
  while (process.running()) {
    if (answers_ok(port, identity, path)) return true;
    if (steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, k_poll_ms);
  }
  return false;
}

std::string url(std::uint16_t port) {
  return "https://127.0.0.1:" + std::to_string(port);
}

}  // namespace

void ChildProcess::start(const std::vector<std::string>& argv, const std::string& log_path) {
  kill();
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ > 0) return;
  // Nothing here but system calls: other threads of the parent may have held locks.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
  ::execv(raw[0], raw.data());
  ::_exit(127);
}

bool ChildProcess::running() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = 0;
  return pid_ > 0;
}

void ChildProcess::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::optional<RealKubeApi::Programs> RealKubeApi::programs() {
  const char* kube_apiserver = std::getenv("SLIPWAY_TEST_KUBE_APISERVER");
  const char* etcd = std::getenv("SLIPWAY_TEST_ETCD");
  if (kube_apiserver == nullptr || etcd == nullptr) return std::nullopt;
  return Programs{kube_apiserver, etcd};
}

RealKubeApi::RealKubeApi(Programs programs, Identities identities)
    : programs_(std::move(programs)), identities_(std::move(identities)) {
  save("etcd-ca.crt", etcd_ca_.certificate_pem);
  save("etcd-client.crt", etcd_client_.certificate_pem);
  save("etcd-client.key", etcd_client_.key_pem);
  const TestCert serving = issue_server(identities_.serving_ca);
  save("serving.crt", serving.certificate_pem);
  save("serving.key", serving.key_pem);
  save("client-ca.crt", identities_.client_ca_pem);
  start_etcd();
  for (int attempt = 0; attempt < k_port_attempts; ++attempt) {
    port_ = free_port();
    if (try_kube_apiserver()) return;
    if (kube_apiserver_.running()) break;  // not the port then
  }
  throw std::runtime_error("kube-apiserver did not start: " + tail("kube-apiserver.log"));
}

// The client may hold the old address, so the port stays; should somebody have taken it, he has it for a
// moment only.
void RealKubeApi::start() {
  for (int attempt = 0; attempt < k_port_attempts; ++attempt) {
    if (try_kube_apiserver()) return;
    if (kube_apiserver_.running()) break;
  }
  throw std::runtime_error("kube-apiserver did not start again: " + tail("kube-apiserver.log"));
}

std::string RealKubeApi::save(const std::string& name, const std::string& content) const {
  put_file(folder_ / name, content);
  return folder_ / name;
}

void RealKubeApi::start_etcd() {
  const TestCert server = issue_server(etcd_ca_);
  const std::string certificate = save("etcd.crt", server.certificate_pem);
  const std::string key = save("etcd.key", server.key_pem);
  for (int attempt = 0; attempt < k_port_attempts; ++attempt) {
    etcd_port_ = free_port();
    // A cluster of one needs no peers: any port, and nobody is told.
    const std::string peer = "http://127.0.0.1:0";
    etcd_.start({programs_.etcd, "--name=test", "--data-dir=" + (folder_ / "etcd"),
                 "--listen-client-urls=" + url(etcd_port_), "--advertise-client-urls=" + url(etcd_port_),
                 "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
                 "--initial-cluster=test=" + peer, "--cert-file=" + certificate, "--key-file=" + key,
                 "--client-cert-auth", "--trusted-ca-file=" + (folder_ / "etcd-ca.crt"), "--logger=zap"},
                folder_ / "etcd.log");
    if (wait_ready(etcd_, etcd_port_, etcd_client_, "/health")) return;
    if (etcd_.running()) break;
  }
  throw std::runtime_error("etcd did not start: " + tail("etcd.log"));
}

bool RealKubeApi::try_kube_apiserver() {
  kube_apiserver_.start(kube_apiserver_command(), folder_ / "kube-apiserver.log");
  return wait_ready(kube_apiserver_, port_, identities_.prober, "/readyz");
}

// As in the product where it matters to clients: no anonymous requests, RBAC, certificates.
std::vector<std::string> RealKubeApi::kube_apiserver_command() const {
  return {programs_.kube_apiserver, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
          "--endpoint-reconciler-type=none", "--secure-port=" + std::to_string(port_), "--insecure-port=0",
          "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
          "--enable-admission-plugins=NodeRestriction", "--service-cluster-ip-range=10.0.0.0/16",
          "--service-account-issuer=https://kubernetes.default.svc",
          // A certificate serves as the public key; nobody asks for a token here.
          "--service-account-key-file=" + (folder_ / "serving.crt"),
          "--service-account-signing-key-file=" + (folder_ / "serving.key"),
          "--client-ca-file=" + (folder_ / "client-ca.crt"), "--tls-cert-file=" + (folder_ / "serving.crt"),
          "--tls-private-key-file=" + (folder_ / "serving.key"), "--etcd-servers=" + url(etcd_port_),
          "--etcd-cafile=" + (folder_ / "etcd-ca.crt"), "--etcd-certfile=" + (folder_ / "etcd-client.crt"),
          "--etcd-keyfile=" + (folder_ / "etcd-client.key")};
}

std::string RealKubeApi::tail(const std::string& name) const {
  constexpr std::size_t k_bytes = 3000;
  const std::string text = get_file(folder_ / name);
  return text.size() > k_bytes ? text.substr(text.size() - k_bytes) : text;
}

}  // namespace slipway::test
