#pragma once
// How a certificate authority is replaced without an outage. Pure.
//
//   stable --prepare--> distributing --activate--> replacing --retire--> stable
//                           |                       |    ^
//                         abort                 abort    activate
//                           v                       v    |
//                         stable                  reverting --retire--> stable, with the old one
//
// distributing: bundles hold both, the old one signs. replacing: bundles hold both, the new one signs and agents renew what
// the old one signed. reverting: the same in the other direction. Until a retire every step can be taken back.
//
// The coordinator's own serving certificate is the last to move: while two fabric CAs stand the older one signs it. So an
// operator's or a node's old trust, and the pin of a join token, hold until the retire.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

enum class CaPhase { stable, distributing, replacing, reverting };
std::string_view to_string(CaPhase phase);  // "stable", ...
std::optional<CaPhase> ca_phase_from_string(std::string_view text);

enum class CaStep { adopt, prepare, activate, abort, retire };
std::optional<CaStep> ca_step_from_string(std::string_view text);  // what an operator may ask for: all but adopt

// One CA, without its key.
struct CaFacts {
  std::uint64_t number = 1;  // counts the CAs of a kind; 1 is the one of init
  std::string sha256;        // hex, of its certificate's DER: what tokens pin
  std::string serial;        // hex
  std::string key_id;        // hex, subject key identifier
  std::string subject;
  WallTime not_before{};
  WallTime not_after{};
  bool operator==(const CaFacts&) const = default;
};

// All CAs of one kind that count.
struct CaLine {
  CaKind kind = CaKind::fabric;
  CaPhase phase = CaPhase::stable;
  CaFacts signing;
  std::optional<CaFacts> other;   // distributing: the coming one; replacing, reverting: the one on its way out
  std::string bundle_sha256;      // hex, of the text of the bundle that verifiers get
  std::uint64_t last_number = 1;  // the highest ever recorded
  WallTime changed_at{};
  bool operator==(const CaLine&) const = default;
};

// Whether of two CAs, by their numbers, the one that does not sign is still what clients see: while one replaces the other, the older.
bool other_serves(CaPhase phase, std::uint64_t signing, std::uint64_t other);
// Behind the coordinator's own serving certificate; also the one that new join tokens pin.
const CaFacts& server_ca(const CaLine& line);
// Whether a certificate signed by the CA of this number may still be recorded.
bool may_sign(const CaLine& line, std::uint64_t number);

// The steps. Errc::conflict, with the cure, when it is not the time for one. `bundle_sha256`: of the bundle as it is after it.
CaLine adopt_ca(CaKind kind, CaFacts first, std::string bundle_sha256, WallTime now);
Result<CaLine> prepare_ca(CaLine line, CaFacts next, std::string bundle_sha256, WallTime now);
// `waiting_for`: live nodes that have not confirmed the bundle. They hold the step; a node that is gone for good is deleted.
Result<CaLine> activate_ca(CaLine line, const std::vector<std::string>& waiting_for, WallTime now);
Result<CaLine> abort_ca(CaLine line, std::string bundle_sha256, WallTime now);
// `held_by`: what depends on `other`. `force`: all the same.
Result<CaLine> retire_ca(CaLine line, const std::vector<std::string>& held_by, bool force, std::string bundle_sha256, WallTime now);

// The numbers in the bundle after a step, ascending; `next` only matters for prepare.
std::vector<std::uint64_t> bundle_after(const CaLine& line, CaStep step, std::uint64_t next = 0);
// What the operator does now, as a sentence.
std::string next_step(const CaLine& line, std::size_t waiting_for, std::size_t held_by);

}  // namespace slipway
