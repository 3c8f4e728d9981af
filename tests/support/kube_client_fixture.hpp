#pragma once
// The real KubeClient with a real authority of the test's own.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "common/async/runtime.hpp"
#include "common/async/system_clock.hpp"
#include "common/core/result.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/kube/kube_client.hpp"
#include "coordinator/ports/signer.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/pki.hpp"

namespace slipway::test {

ProfileCluster kube_test_cluster();

TestCert ca_for_tests(const Authority& authority, CaKind kind);

// Issues with the keys of one authority and trusts the API server of another: credentials that it does not
// know.
class StrangersSigner final : public Signer {
 public:
  StrangersSigner(Signer& own, Signer& trusted) : own_(own), trusted_(trusted) {}
  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override;
  std::string ca_pem(CaKind kind) override;
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

  std::unique_ptr<kube::KubeClient> client(IoTest& io, std::uint16_t port, Signer& with);
  std::unique_ptr<kube::KubeClient> client(IoTest& io, std::uint16_t port);

 private:
  boost::asio::awaitable<Status> note();
};

}  // namespace slipway::test
