#pragma once
// When certificates are renewed. Pure; the present time is an argument.
#include <optional>
#include <string>
#include <vector>

#include "common/core/time.hpp"

namespace slipway {

struct CertificateLife {
  std::string usage;
  std::string serial;  // hex
  WallTime not_before{};
  WallTime not_after{};
  std::string issuer_key_id = {};  // hex, authority key identifier

  bool operator==(const CertificateLife&) const = default;
};

// At the fraction `renew_at` of the life, up to a tenth of the life earlier. How much earlier depends on
// usage and serial alone: an agent that starts again comes to the same time, and the nodes of a rack that
// joined together do not renew together.
WallTime renewal_time(const CertificateLife& certificate, double renew_at);

struct RenewalPlan {
  std::vector<std::string> due;  // usages; all of one request
  std::optional<WallTime> next;  // when the first of the others comes; empty: there is none
};

// Once one is due, those that would follow within a tenth of their life go with it: one request instead of
// several.
RenewalPlan plan_renewals(const std::vector<CertificateLife>& certificates, double renew_at, WallTime now);

// Usages whose certificate begins before `mark`: the coordinator asks for new ones.
std::vector<std::string> begun_before(const std::vector<CertificateLife>& certificates, WallTime mark);

// How long to sleep until `next`: at most an hour, so that a clock that was set does not matter for long; at
// least a second.
Seconds renewal_sleep(const std::optional<WallTime>& next, WallTime now);

}  // namespace slipway
