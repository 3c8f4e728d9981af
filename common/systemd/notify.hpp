#pragma once
// What a daemon tells systemd (Type=notify, WatchdogSec=). All of it does nothing when not started by
// systemd.
#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway::systemd {

void ready();
void stopping();
// One line for `systemctl status`.
void status(std::string_view text);

// Pats the watchdog at half of WatchdogSec, on the calling coroutine's executor: a blocked event thread is
// then noticed. Ends at once when systemd expects no watchdog, else when cancelled. `clock` must outlive it.
boost::asio::awaitable<Status> watchdog(Clock& clock);

}  // namespace slipway::systemd
