#pragma once
// Who may join, as whom, with which block. Pure; asked twice: before signing, and again inside the operation that records it.
#include <map>
#include <optional>
#include <string>

#include "coordinator/domain/state.hpp"

namespace slipway {

// One text for every reason why a token is not accepted: the caller learns nothing more (T3).
inline constexpr char k_token_refused[] =
    "the join token was not accepted: ask the operator for a new one (slipwayctl token create); "
    "the reason stands in the coordinator's log and in its list of join attempts";

struct AdmissionRequest {
  std::string node_name;
  NodeRole role = NodeRole::node;
  IpAddress address;
  std::string machine_id;
  std::optional<PresentedToken> token;
  std::map<CertUsage, std::string> spkis;  // SHA-256 (hex) of the key of each request; agent is the identity
  Maturity maturity;                        // now, and what quarantine may give
  std::string pool = {};                    // that its token names; empty: by the pools' selectors
  std::vector<OccupiedRange> host_routes = {};  // that the host says it has; "docker0 of node n1"
};

enum class AdmissionKind {
  new_node,           // a token use, a new uid and block
  new_certificates,   // known identity key: same node, no token needed nor used
  same_certificates,  // known identity, every key recorded already, all valid for long enough: the very same answer
};

struct Admission {
  AdmissionKind kind = AdmissionKind::new_node;
  std::string uid;               // empty for a new node: the caller makes one
  std::uint64_t generation = 1;  // the one it has or will get
};

struct AdmissionVerdict {
  Result<Admission> result = make_error(Errc::internal, "not decided");  // safe to show to the caller
  std::string reason;  // the true one, for log and operators; empty when accepted
};

AdmissionVerdict admit(const State& state, const AdmissionRequest& request);

// A live node asks for new certificates over mutual TLS. Errors as State::authenticate_agent(), and Errc::denied for a usage
// that its role does not have.
Result<Admission> plan_renewal(const State& state, const std::string& uid, std::uint64_t generation, const std::string& serial,
                               const std::map<CertUsage, std::string>& spkis, WallTime now);

// The token alone, without a look at anything else: a cheap test before dear ones.
TokenVerdict check_presented_token(const State& state, const PresentedToken& token, std::string_view node_name, NodeRole role,
                                   WallTime now);

}  // namespace slipway
