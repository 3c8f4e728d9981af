#pragma once
// The Firewall port in memory: a firewalld with a zone for each name that it is asked for. Passes the contract of the
// real one.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/ports/firewall.hpp"
#include "common/async/notifier.hpp"

namespace slipway::test {

class FakeFirewall final : public Firewall {
 public:
  boost::asio::awaitable<Result<std::optional<FirewallObserved>>> observe(std::string interface,
                                                                          std::vector<std::string> zones) override;
  boost::asio::awaitable<Status> apply(FirewallStep step) override;
  boost::asio::awaitable<Status> changed() override;
  // Somebody changes something.
  void tell();

  bool running = true;
  FirewallObserved state = {{}, "public", {}, true, {}};
  std::set<std::string> taken;  // sources of other zones
  std::vector<std::string> applied;

 private:
  bool news_ = false;
  Notifier told_;
};

}  // namespace slipway::test
