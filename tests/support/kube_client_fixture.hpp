#pragma once
// The real KubeClient with a real authority of the test's own.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "common/async/runtime.hpp"
#include "common/async/system_clock.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/kube/kube_client.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/pki.hpp"

namespace slipway::test {

inline ProfileCluster kube_test_cluster() {
  ProfileCluster cluster;
  cluster.name = "demo";
  cluster.id = "11111111-2222-4333-8444-555555555555";
  cluster.dns_domain = "cluster.local";
  cluster.api_endpoint_host = "127.0.0.1";
  cluster.pod_cidrs = {Cidr::parse("10.10.0.0/16").value()};
  cluster.service_cidrs = {Cidr::parse("10.0.0.0/16").value()};
  return cluster;
}

inline TestCert ca_for_tests(const Authority& authority, CaKind kind) {
  const CertificateAuthority& ca = authority.ca(kind);
  return {ca.pem, std::string(ca.key.to_pem().value().reveal())};
}

// Issues with the keys of one authority and trusts the API server of another: credentials that it does not
// know.
class StrangersSigner final : public Signer {
 public:
  StrangersSigner(Signer& own, Signer& trusted) : own_(own), trusted_(trusted) {}
  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override {
    return own_.issue(spec, spki_der, serial, not_before, not_after);
  }
  std::string ca_pem(CaKind kind) override { return trusted_.ca_pem(kind); }
  std::uint64_t issuer_number(CertUsage usage) override { return own_.issuer_number(usage); }
  std::string issuer_pem(CertUsage usage) override { return own_.issuer_pem(usage); }

 private:
  Signer& own_;
  Signer& trusted_;
};

// What KubeClients need, but for a server. The authority costs an RSA key: make one for many cases.
struct KubeClientParts {
  SystemClock clock;
  Workers workers{1};
  Authority authority = Authority::create(kube_test_cluster(), clock.wall()).value();
  FileSigner signer{authority};
  int recorded = 0;  // certificates

  std::unique_ptr<kube::KubeClient> client(IoTest& io, std::uint16_t port, Signer& with) {
    kube::KubeClientDeps deps{io.executor(), clock, workers, with, random_bytes, kube_test_cluster, {}, {}};
    deps.record = [this](CertUsage, std::string, IssuedCert, std::string) { return note(); };
    deps.endpoint = "https://127.0.0.1:" + std::to_string(port);
    return std::move(kube::KubeClient::make(std::move(deps)).value());
  }
  std::unique_ptr<kube::KubeClient> client(IoTest& io, std::uint16_t port) {
    return client(io, port, signer);
  }

 private:
  boost::asio::awaitable<Status> note() {
    ++recorded;
    co_return Status{};
  }
};

}  // namespace slipway::test
