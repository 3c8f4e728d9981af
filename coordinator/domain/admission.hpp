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

// More hosts than this do not wait for an operator at a time.
inline constexpr std::size_t k_max_pending = 1000;

struct AdmissionRequest {
  std::string node_name;
  NodeRole role = NodeRole::node;
  IpAddress address;
  std::string machine_id;
  std::optional<PresentedToken> token;
  std::map<CertUsage, std::string> spkis;  // SHA-256 (hex) of the key of each request; agent is the identity
  Maturity maturity;                        // now, and what quarantine may give
  std::string pool = {};                    // of the token, see pool_of(); never the host's own wish; empty: by the pools' selectors
  proto::NodeFacts facts = {};              // the host's own word, for an operator who decides
  std::vector<OccupiedRange> host_routes = {};  // that the host says it has; "docker0 of node n1"
  std::optional<IpAddress> from = {};           // where it connects from, for what a token asks; absent: from `address`
};

enum class AdmissionKind {
  new_node,           // a token use, a new uid and block
  new_certificates,   // known identity key: same node, no token needed nor used
  same_certificates,  // known identity, every key recorded already, all valid for long enough: the very same answer
  wait,               // an operator has to approve it first
};

// How far a join came: the last stage is where it was refused.
enum class JoinStage { request, limits, csr, address, token, name, place, block, approval, signing, recording, joined };
std::string_view to_string(JoinStage stage);
// What an operator can do about a refusal at this stage, when nothing more special is known; never empty but for joined.
std::string usual_cure(JoinStage stage, Cause cause, const std::string& node_name);

struct Admission {
  AdmissionKind kind = AdmissionKind::new_node;
  std::string uid;               // empty for a new node: the caller makes one
  std::uint64_t generation = 1;  // the one it has or will get
};

struct AdmissionVerdict {
  Result<Admission> result = make_error(Errc::internal, "not decided");  // safe to show to the caller
  std::string reason;                    // the true one, for log and operators; empty when accepted
  JoinStage stage = JoinStage::joined;  // where it was refused or has to wait
  std::string cure = {};                // what an operator can do; never empty when refused
};

// The pool that the token of the request, or the earlier one of an approved host, names.
std::string pool_of(const State& state, const AdmissionRequest& request);

AdmissionVerdict admit(const State& state, const AdmissionRequest& request);

// Whether a live node may be at `address` from now on. Its own address: always. Errc::denied for a master, where network.addressChange
// is refuse, and for an address that no node may have; Errc::conflict when somebody else has it.
Status check_move(const State& state, const Node& node, const IpAddress& address);

// A live node asks for new certificates over mutual TLS; `address`: where it connects from, when it says that it has moved. Errors as
// State::authenticate_agent() and check_move(), Errc::denied for a usage that its role does not have, Errc::invalid for a move without
// a request for the certificate in which the address stands.
Result<Admission> plan_renewal(const State& state, const std::string& uid, std::uint64_t generation, const std::string& serial,
                               const std::map<CertUsage, std::string>& spkis, WallTime now, const std::optional<IpAddress>& address = {});

// The token alone, without a look at anything else: a cheap test before dear ones.
TokenVerdict check_presented_token(const State& state, const PresentedToken& token, const TokenUse& use, WallTime now);

}  // namespace slipway
