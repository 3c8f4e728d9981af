#include "common/systemd/notify.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <string>

namespace slipway::systemd {

namespace asio = boost::asio;

namespace {

// A failure to notify has no cure inside the daemon: systemd's own timeouts deal with it.
void notify(const std::string& state) {
  (void)::sd_notify(0, state.c_str());
}

}  // namespace

void ready() {
  notify("READY=1");
}

void stopping() {
  notify("STOPPING=1");
}

void status(std::string_view text) {
  std::string line(text);
  // A line feed would start another assignment.
  std::replace(line.begin(), line.end(), '\n', ' ');
  notify("STATUS=" + line);
}

asio::awaitable<Status> watchdog(Clock& clock) {
  std::uint64_t microseconds = 0;
  const int enabled = ::sd_watchdog_enabled(0, &microseconds);
  if (enabled <= 0 || microseconds == 0) co_return Status{};
  const Millis half(std::max<std::int64_t>(1, static_cast<std::int64_t>(microseconds / 2000)));
  for (;;) {
    notify("WATCHDOG=1");
    asio::awaitable<Status> sleep = clock.sleep_for(half);
    const Status slept = co_await std::move(sleep);
    if (!slept) co_return slept.error();
  }
}

}  // namespace slipway::systemd
