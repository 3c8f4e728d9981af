#pragma once
// Whether the Network port has news, without waiting for more than what has come.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <optional>
#include <utility>

#include "agent/ports/network.hpp"
#include "tests/support/io_test.hpp"

namespace slipway::test {

inline bool has_news(IoTest& io, Network& network) {
  boost::asio::cancellation_signal signal;
  std::optional<Result<NetworkNews>> ended;
  const auto done = [&ended](std::exception_ptr, Result<NetworkNews> news) { ended = std::move(news); };
  boost::asio::co_spawn(io.executor(), network.changed(), boost::asio::bind_cancellation_slot(signal.slot(), done));
  io.poll();
  if (ended) return true;
  signal.emit(boost::asio::cancellation_type::terminal);
  io.poll();
  return false;
}

inline void forget_news(IoTest& io, Network& network) {
  while (has_news(io, network)) {
  }
}

}  // namespace slipway::test
