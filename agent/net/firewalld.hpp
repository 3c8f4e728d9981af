#pragma once
// Adapter: the Firewall port on firewalld's D-Bus interface (firewalld.dbus(5)); versions 0.6 to 2.
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/firewall.hpp"
#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct FirewalldOptions {
  std::string bus_address;        // empty: the system bus
  Millis call_limit{10'000};      // it is written in Python and answers one question after the other
  Millis reload_limit{60'000};
};

// Connects at the first question, and anew when the connection was lost. On the executor's thread; must outlive the
// coroutines of its calls.
class Firewalld final : public Firewall {
 public:
  Firewalld(boost::asio::any_io_executor executor, FirewalldOptions options = {});
  ~Firewalld() override;

  boost::asio::awaitable<Result<std::optional<FirewallObserved>>> observe(std::string interface,
                                                                          std::vector<std::string> zones) override;
  boost::asio::awaitable<Status> apply(FirewallStep step) override;
  boost::asio::awaitable<Status> changed() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For a reset: blocks, on a reactor of its own.
Result<std::optional<FirewallObserved>> observe_firewalld(const FirewalldOptions& options, const std::vector<std::string>& zones);
Status apply_to_firewalld(const FirewalldOptions& options, const std::vector<FirewallStep>& steps);

}  // namespace slipway
