#pragma once
// A real kube-apiserver over a real etcd, as child processes with a folder, ports and certificates of their
// own. All of it is gone with the object; the processes also when the test's process dies.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/pki.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

// A program of the test's own; its output goes to a file.
class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void start(const std::vector<std::string>& argv, const std::string& log_path);
  bool running();  // false: it ended by itself, or was never started
  void kill();     // SIGKILL; returns when it is gone

 private:
  pid_t pid_ = 0;
};

class RealKubeApi {
 public:
  struct Programs {
    std::string kube_apiserver;
    std::string etcd;
  };
  // Paths in SLIPWAY_TEST_KUBE_APISERVER and SLIPWAY_TEST_ETCD; nothing when either is not set.
  static std::optional<Programs> programs();

  struct Identities {
    TestCert serving_ca;        // signs the API server's own certificate
    std::string client_ca_pem;  // whose client certificates the API server believes
    TestCert prober;            // a client certificate of that CA; asks for /readyz
  };
  // Returns when both answer; throws with the end of their output when they do not.
  RealKubeApi(Programs programs, Identities identities);

  std::uint16_t port() const { return port_; }
  // The API server alone, etcd goes on: same port, same objects.
  void stop() { kube_apiserver_.kill(); }
  void start();

 private:
  std::string save(const std::string& name, const std::string& content) const;
  void start_etcd();
  bool try_kube_apiserver();
  std::vector<std::string> kube_apiserver_command() const;
  std::string tail(const std::string& name) const;

  Programs programs_;
  Identities identities_;
  TestCert etcd_ca_ = make_root("etcd CA");
  TestCert etcd_client_ = issue_client(etcd_ca_, "kube-apiserver-etcd-client");
  TempDir folder_;
  std::uint16_t etcd_port_ = 0;
  std::uint16_t port_ = 0;
  ChildProcess etcd_;
  ChildProcess kube_apiserver_;
};

}  // namespace slipway::test
