#pragma once
// A cluster, a master in it, and the second opinion: OpenSSL's own verifier.
#include <string>

#include "coordinator/ca/file_signer.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "tests/support/profile_cluster.hpp"

namespace slipway::test {

inline const WallTime k_now{Seconds(1795348800)};  // 2026-11-22T12:00:00Z

inline ProfileCluster test_cluster() {
  ProfileCluster cluster = demo_profile_cluster("api.example.org");
  cluster.node_cidrs = {Cidr::parse("10.77.0.0/24").value()};
  cluster.coordinator_names = {"10.77.0.10", "coordinator.example.org"};
  return cluster;
}

inline ProfileInput test_input() {
  ProfileInput input;
  input.cluster = test_cluster();
  input.node = {
      "master-1", "9b2f1c1e-0000-4000-8000-00000000000a", 1, true, {IpAddress::parse("10.77.0.10").value()}};
  input.user_name = "alice";
  return input;
}

// One set of authorities for all cases: making one costs an RSA key.
const Authority& test_authority();

struct Check {
  bool server = false;  // purpose: sslserver, else sslclient
  std::string host;     // empty: not checked
  std::string ip;
  WallTime at = k_now;
};
// The verifier's error with X509_V_FLAG_X509_STRICT; 0 = good.
int openssl_verify(const std::string& leaf_der, const std::string& ca_pem, const Check& check);

}  // namespace slipway::test
