#pragma once
// Keeps the CA bundles that the coordinator announces: fetched over mutual TLS, believed only when their digest is the announced
// one, durable before they are used. The reconciler puts them where the components read them.
#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "agent/domain/ca_watch.hpp"
#include "agent/service/enroll.hpp"

namespace slipway {

// State thread. After the node has joined.
class CaSync {
 public:
  CaSync(std::string role, Enroller::Deps deps) : role_(std::move(role)), deps_(deps) {}

  // Fetches what is outdated; afterwards state.ca_stored is what is on the disk, and for "fabric" what connections trust.
  boost::asio::awaitable<Status> tick();
  // Ticks at each state.ca_news and once a minute.
  boost::asio::awaitable<Status> run();

 private:
  boost::asio::awaitable<Result<BundleDigests>> read_stored(std::vector<std::string> kinds);
  boost::asio::awaitable<Status> fetch(BundleDigests wanted, std::vector<std::string> kinds);
  boost::asio::awaitable<Status> trust_fabric();

  std::string role_;
  Enroller::Deps deps_;
  RepeatedError trouble_;
};

}  // namespace slipway
