#pragma once
// Adapter: echo requests over raw sockets of the network namespace that the calling thread is in. Needs
// CAP_NET_RAW.
#include <boost/asio/any_io_executor.hpp>
#include <vector>

#include "agent/ports/pinger.hpp"
#include "common/async/clock.hpp"

namespace slipway {

class IcmpPinger final : public Pinger {
 public:
  // How long to wait for answers after each time that all were sent.
  using Patience = std::vector<Millis>;
  explicit IcmpPinger(boost::asio::any_io_executor executor,
                      Patience patience = {Millis(500), Millis(1'000), Millis(1'500)});

  boost::asio::awaitable<Result<std::vector<PingOutcome>>> ping(std::vector<Ping> pings) override;

 private:
  boost::asio::any_io_executor executor_;
  Patience patience_;
};

}  // namespace slipway
