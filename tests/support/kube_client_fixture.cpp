#include "tests/support/kube_client_fixture.hpp"

#include <utility>

#include "common/core/ip.hpp"
#include "common/crypto/random.hpp"
#include "tests/support/profile_cluster.hpp"

namespace slipway::test {

ProfileCluster kube_test_cluster() {
  return demo_profile_cluster("127.0.0.1");
}

TestCert ca_for_tests(const Authority& authority, CaKind kind) {
  const CertificateAuthority& ca = authority.ca(kind);
  return {ca.pem, std::string(ca.key.to_pem().value().reveal())};
}

Result<IssuedCert> StrangersSigner::issue(const CertSpec& spec, const std::string& spki_der,
                                          const Serial& serial, WallTime not_before, WallTime not_after) {
  return own_.issue(spec, spki_der, serial, not_before, not_after);
}

std::string StrangersSigner::ca_pem(CaKind kind) {
  return trusted_.ca_pem(kind);
}

std::unique_ptr<kube::KubeClient> KubeClientParts::client(IoTest& io, std::uint16_t port, Signer& with) {
  kube::KubeClientDeps deps{io.executor(), clock, workers, with, random_bytes, kube_test_cluster, {}, {}};
  deps.record = [this](CertUsage, std::string, IssuedCert, std::string) { return note(); };
  deps.endpoint = "https://127.0.0.1:" + std::to_string(port);
  return kube::KubeClient::make(std::move(deps)).value();
}

std::unique_ptr<kube::KubeClient> KubeClientParts::client(IoTest& io, std::uint16_t port) {
  return client(io, port, signer);
}

boost::asio::awaitable<Status> KubeClientParts::note() {
  ++recorded;
  co_return Status{};
}

}  // namespace slipway::test
