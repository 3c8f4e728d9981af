#pragma once
// Private to common/systemd: between sd-bus messages and values.
#include <memory>
#include <string_view>

#include "common/systemd/bus.hpp"

// sd-bus's own types, declared here so that its header stays out of headers.
struct sd_bus;
struct sd_bus_message;

namespace slipway::systemd {

struct BusMessageUnref {
  void operator()(sd_bus_message* message) const;
};
using BusMessagePtr = std::unique_ptr<sd_bus_message, BusMessageUnref>;

Result<BusMessagePtr> make_message(sd_bus* bus, const BusCall& call);
// All values of the message from its beginning. Errc::corrupt when they cannot be read.
Result<BusValues> read_values(sd_bus_message* message);
// The reply's values, or its error.
Result<BusValues> read_reply(sd_bus_message* message);
Error bus_error(std::string_view doing, int negative_errno);

}  // namespace slipway::systemd
