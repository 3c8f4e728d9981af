#pragma once
// firewalld's part of a reconcile pass. State thread.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "agent/ports/firewall.hpp"

namespace slipway {

struct FirewallDeps {
  Firewall* firewall = nullptr;  // null: nobody asks
  // What the change ledger has of firewalld.
  std::function<std::vector<Change>()> noted;
  // Notes what is about to be changed, durably.
  std::function<boost::asio::awaitable<Status>(std::vector<Intent>)> note;
};

struct FirewallOutcome {
  bool reloaded = false;  // the rules of iptables are gone with it
  std::vector<std::string> changes;
  std::vector<std::string> problems;
};

// Observe, plan, note, apply; a step that fails stops no other. `interface`: of the node's
// address, or "".
boost::asio::awaitable<FirewallOutcome> bring_firewall_about(FirewallDeps deps, NetworkDesired network, std::string interface);

}  // namespace slipway
