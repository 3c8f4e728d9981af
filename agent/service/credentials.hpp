#pragma once
// Keys and certificates between the stores and the coordinator's answers. Everything here blocks: call it
// through offload().
#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/renewal.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/node_store.hpp"
#include "common/async/runtime.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

Result<EnrollmentFacts> read_enrollment_facts(NodeStore& nodes, CredentialStore& credentials);

// Which key a request is made with when no pending one waits for its answer.
enum class KeyChoice {
  in_use_or_new,  // a join that may have been interrupted after some keys were taken into use
  new_key,        // a renewal
};

struct PreparedKeys {
  std::map<std::string, std::string> csrs;  // usage -> PEM
  std::map<std::string, std::string> spki;  // usage -> DER of the public key
};

// Every key is durable before this returns, and so before a request leaves: a retry after a crash asks for
// the same keys.
Result<PreparedKeys> prepare_keys(CredentialStore& credentials, const std::vector<std::string>& usages,
                                  KeyChoice choice);

// Makes the identity key in use the one that the next request proves. A pending key whose renewal was never
// answered comes first, for the coordinator may know that one; `drop_candidate` is for when it was refused.
Status offer_identity_key(CredentialStore& credentials, bool drop_candidate);

// Whom certificates must be for.
struct CertificateSubject {
  std::string node_name;
  std::string node_uid;
};

// An answer is believed only when each certificate is for our key, from the CA that belongs to its usage, for
// this node, and not over. Errc::corrupt otherwise: nothing of such an answer is kept.
struct IssuedCertificates {
  std::map<std::string, std::string> certificates;  // usage -> PEM
  std::map<std::string, std::string> ca_bundles;    // CA -> PEM
  // CA -> SHA-256 of the bundle that the desired state announces. An answer that was long under way must not bring an older one back:
  // another bundle is not kept where there is one.
  std::map<std::string, std::string> announced = {};
};
Status check_issued(const IssuedCertificates& issued, const std::vector<UsageProfile>& profiles,
                    const PreparedKeys& keys, const CertificateSubject& subject, WallTime now);

// Bundles first, the agent's own pair last. A kill between any two is mended by asking again.
Status take_over(CredentialStore& credentials, const IssuedCertificates& issued);

// Usage, serial and life of the pairs in use; those that are missing or unreadable are left out.
Result<std::vector<CertificateLife>> certificate_lives(CredentialStore& credentials,
                                                       const std::vector<UsageProfile>& profiles);

// The coordinator is asked with the agent's pair, and known by the fabric bundle, that are on the disk now. Does not block; the
// references outlive it.
boost::asio::awaitable<Status> use_stored_identity(CredentialStore& store, CoordinatorApi& coordinator, Workers& workers);

}  // namespace slipway
