#pragma once
// Failed joins cost: a bucket for each address and one for all. A full one shuts out nobody who shows a token's right secret: a
// fleet behind one address goes on joining while somebody among it guesses. Thread safe: asked on the I/O threads before any
// cryptography, where a hop to the state thread would cost more than the check; hence the one mutex of the services.
#include <cstddef>
#include <map>
#include <mutex>

#include "common/async/clock.hpp"
#include "common/core/ip.hpp"
#include "coordinator/service/nat_sources.hpp"

namespace slipway {

struct JoinLimits {
  double address_burst = 10;
  double address_per_second = 0.2;
  double total_burst = 200;
  double total_per_second = 20;
  std::size_t max_addresses = 10'000;  // forgiven ones are forgotten first
  // Joins without a token, by which known hosts return, that are looked at all the same while a bucket is full.
  double spare_burst = 20;
  double spare_per_second = 2;
};

class JoinLimiter {
 public:
  enum class Decision {
    go,
    show_token_first,  // this address, or all together, fail too often
  };
  // `nat_sources`: who fails behind one of these costs a fleet, so its bucket is half of the one for all: whatever goes on there, the other
  // half is everybody's, and its neighbours fare as all do when the total is used up. Null: there are none.
  explicit JoinLimiter(const Clock& clock, JoinLimits limits = {}, const NatSources* nat_sources = nullptr);
  Decision ask(const IpAddress& peer);
  void failed(const IpAddress& peer);
  // Takes one of the few spare looks; false: there is none at present.
  bool take_spare();
  // Until `peer` may try again.
  Seconds retry_after(const IpAddress& peer);

 private:
  struct Bucket {
    double level = 0;  // failures not yet forgiven
    SteadyTime at{};
  };
  struct Allowance {
    double burst = 0;
    double per_second = 0;
  };
  Allowance allowance_of(const IpAddress& peer) const;
  static void leak(Bucket& bucket, double per_second, SteadyTime now);
  IpAddress key_of(const IpAddress& peer) const;
  void make_room(SteadyTime now);

  const Clock& clock_;
  const JoinLimits limits_;
  const NatSources* const nat_sources_;
  std::mutex mutex_;
  Bucket total_;
  Bucket spare_;
  std::map<IpAddress, Bucket> addresses_;
};

}  // namespace slipway
