#include "agent/domain/address_watch.hpp"

namespace slipway {

std::optional<IpAddress> AddressWatch::observe(const IpAddress& registered, const AddressSight& sight,
                                               Instant now) {
  const bool elsewhere = sight.towards && *sight.towards != registered && !sight.towards->is_loopback();
  if (!elsewhere || (sight.registered_is_there && !sight.named)) {
    candidate_.reset();
    return std::nullopt;
  }
  if (candidate_ != sight.towards) {
    candidate_ = sight.towards;
    since_ = now;
  }
  if (now - since_ < grace_) return std::nullopt;
  return candidate_;
}

}  // namespace slipway
