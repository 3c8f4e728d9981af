#pragma once
// Private to common/systemd: between sd-bus messages and values.
#include <systemd/sd-bus.h>

#include <memory>
#include <string_view>

#include "common/systemd/bus.hpp"

namespace slipway::systemd {

struct BusMessageUnref {
  void operator()(sd_bus_message* message) const { ::sd_bus_message_unref(message); }
};
using BusMessagePtr = std::unique_ptr<sd_bus_message, BusMessageUnref>;

Result<BusMessagePtr> make_message(sd_bus* bus, const BusCall& call);
// All values of the message from its beginning. Errc::corrupt when they cannot be read.
Result<BusValues> read_values(sd_bus_message* message);
// The reply's values, or its error.
Result<BusValues> read_reply(sd_bus_message* message);
Error bus_error(std::string_view doing, int negative_errno);

}  // namespace slipway::systemd
