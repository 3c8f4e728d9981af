#include "coordinator/ca/clock_guard.hpp"

#include <catch2/catch.hpp>

#include "common/crypto/random.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/fake_signer.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

using namespace test;

struct Guarded {
  ManualClock clock{k_start};
  FakeSigner signer;
  ClockGuard guard;
  explicit Guarded(WallTime floor = WallTime{}) : guard(signer, clock, floor) {}
  Result<IssuedCert> issue() {
    CertSpec spec;
    spec.common_name = "n1";
    const Validity validity = validity_of(ValidityClass::node, {}, clock.wall());
    return guard.issue(spec, "key", *Serial::from_random(random_bytes(16)), validity.not_before, validity.not_after);
  }
};

TEST_CASE("nothing is signed once the clock went back, until it is right again", "[pki][clock]") {
  Guarded g;
  const auto first = g.issue();
  REQUIRE(first);
  CHECK(first->not_before == k_start - Seconds(300));  // five minutes for clocks of others
  g.clock.set_wall(k_start - Seconds(300));
  CHECK(g.issue());  // no earlier than what was said before
  g.clock.set_wall(k_start - Seconds(301));
  const auto refused = g.issue();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message.find(to_rfc3339(k_start - Seconds(301))) != std::string::npos);
  CHECK(refused.error().message.find(to_rfc3339(k_start - Seconds(300))) != std::string::npos);
  CHECK(refused.error().message.find("timedatectl") != std::string::npos);
  CHECK(g.guard.sign_crl({}).error().message.find("went back") != std::string::npos);
  CHECK(g.signer.issued() == 2);
  g.clock.set_wall(k_start + Seconds(3600));
  CHECK(g.issue());
  g.clock.set_wall(k_start);  // right an hour ago, wrong now
  CHECK_FALSE(g.issue());
}

TEST_CASE("nothing is signed by a clock from before the build or the last certificate", "[pki][clock]") {
  Guarded g(k_start + Seconds(1));
  CHECK_FALSE(g.issue());
  g.clock.advance(std::chrono::seconds(1));
  CHECK(g.issue());
}

}  // namespace
}  // namespace slipway
