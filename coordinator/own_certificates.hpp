#pragma once
// Certificates whose key the coordinator makes itself: its own serving certificate and the first operator's.
// Any thread.
#include <string>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "coordinator/domain/operations.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

struct OwnCertificate {
  IssuedCertificate certificate;  // to be recorded before it is used
  Secret key_pem;
};

// `user`: for operator_admin. About a millisecond.
Result<OwnCertificate> make_own_certificate(CertUsage usage, const ValidatedCluster& cluster,
                                            const std::string& cluster_id, const std::string& user,
                                            Signer& signer, WallTime now);

}  // namespace slipway
