#pragma once
// What the peers of peer_bench have in common: a folder, certificates for k_address, and how they are
// measured.
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/http/client.hpp"
#include "figures.hpp"
#include "server_process.hpp"
#include "tests/support/pki.hpp"

namespace bench {

struct PeerOptions {
  std::string peer;              // cfssl, cfssl-tls, nginx, kubernetes
  std::string dir = "/var/tmp";  // where its folder is made
  std::string kubernetes_dir;    // kube-apiserver and kube-controller-manager; empty: those in PATH
  std::string etcd = "etcd";
  std::size_t requests = 2000;
  std::size_t concurrency = 32;
  int kube_api_qps = 0;  // 0: kube-controller-manager's own limits
  int seconds = 60;      // kubernetes: what is not finished by then does not count
  int server_cpu = 0;
  int load_cpu = 1;
};

// A folder of its own, with a P-256 CA and a server certificate in it; gone with the object.
class PeerDir {
 public:
  explicit PeerDir(const std::string& parent);
  ~PeerDir();
  PeerDir(const PeerDir&) = delete;
  PeerDir& operator=(const PeerDir&) = delete;

  std::string path(const std::string& name) const { return dir_ + "/" + name; }
  void write(const std::string& name, const std::string& content) const;
  std::string end_of(const std::string& name) const;  // the last 2,000 bytes, for messages
  // A client's certificate, and the context of connections that show it.
  slipway::test::TestCert client(const std::string& common_name, const std::string& organization) const;
  std::shared_ptr<slipway::http::TlsClientContext> tls(const slipway::test::TestCert& identity) const;

 private:
  std::string dir_;
  slipway::test::TestCert ca_;
};

// All processes of a peer together.
class PeerProcesses {
 public:
  PeerProcesses(const PeerDir& dir, int cpu) : dir_(dir), cpu_(cpu) {}
  ~PeerProcesses();  // SIGKILL: nothing of theirs is kept, and kube-apiserver takes a minute to leave when
                     // etcd is gone
  PeerProcesses(const PeerProcesses&) = delete;
  PeerProcesses& operator=(const PeerProcesses&) = delete;
  // Returns when something listens on k_address:port; ends the program with the end of the log when that does
  // not happen.
  void start(const std::string& name, const std::vector<std::string>& argv, int port);
  bool running();
  Usage usage() const;  // the sum

 private:
  const PeerDir& dir_;
  int cpu_;
  std::deque<ServerProcess> processes_;
};

// PEM, P-256, subject "O=ORGANIZATION,CN=COMMON_NAME".
std::string named_csr(const std::string& organization, const std::string& common_name);

Figures measure_cfssl(const PeerOptions& options);
Figures measure_nginx(const PeerOptions& options);
Figures measure_kubernetes(const PeerOptions& options);

}  // namespace bench
