#pragma once
// How a host becomes a node: what a join token says, which way to enter the cluster is open, which refusals
// are for ever. Pure; the present time is an argument.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/core/time.hpp"

namespace slipway {

// "slipway1<64 hex digits>::<id>.<secret>"
struct PinnedToken {
  std::string ca_sha256;  // pin: SHA-256 of the DER of the CA that the coordinator's certificate must chain
                          // to; lower case
  std::string id;         // may be logged
  Secret credential;      // "<id>.<secret>", what is sent
};

// Surrounding white space is ignored. Errors say what is wrong with the text and never repeat it.
Result<PinnedToken> parse_pinned_token(std::string_view text);

// A certificate that the agent of a role asks for at its join, and the CA that signs it.
struct UsageProfile {
  std::string usage;  // wire name
  std::string ca;     // wire name of the bundle
  bool serving = false;
};
const std::vector<UsageProfile>& usages_of_role(std::string_view role);  // "master" or anything else: node

// What the stores know.
struct EnrollmentFacts {
  bool identity = false;                    // a join has succeeded and was written down
  std::optional<WallTime> agent_not_after;  // of the agent certificate in use; empty: none that can be read
  bool agent_key = false;                   // an agent key, in use or pending
  bool fabric_ca = false;                   // the CA by which to know the coordinator without a token
};

enum class EnrollmentStep {
  use_identity,  // joined, nothing to do
  prove_key,     // ask again by the stored identity key: no token
  use_token,
  wait,  // no way in: an operator must bring a token
};

// Which way to go before any token is looked at; never `wait`.
EnrollmentStep first_step(const EnrollmentFacts& facts, WallTime now);
// Which way when the token that first_step() asked for cannot be used: an interrupted join is finished by its
// key.
EnrollmentStep step_without_token(const EnrollmentFacts& facts);

// The wait before the next try: `own` (drawn at random), but never less than the other side asked for. Up to a
// quarter, taken from the digits of `own`, comes upon what was asked, so that hosts do not come back in step.
std::chrono::milliseconds polite_wait(std::chrono::milliseconds own, const Error& error);

// A refusal that repeating the request will not change: only an operator can.
bool is_refusal(const Error& error);
// What to do on the host of a node that its cluster does not know any more. Nobody is to be told to remove the data
// directory: the change ledger lies in it, and without that a reset finds nothing to undo.
inline constexpr char k_join_anew[] = "slipway-agent reset, then slipway-agent join with a new token";
// What the operator should do about a refused join, as a half sentence; empty when waiting is all there is to
// do.
std::string join_cure(const Error& error, EnrollmentStep step, std::string_view node_name,
                      std::string_view token_file);

}  // namespace slipway
