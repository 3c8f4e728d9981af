#pragma once
// Keeps the desired state: from the disk at the start, from the coordinator from then on.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/service/enroll.hpp"
#include "common/async/backoff.hpp"

namespace slipway {

// State thread.
class DesiredSync {
 public:
  DesiredSync(Enroller::Deps deps, std::uint64_t seed);

  // The state kept at the last run, if any: a node works without its coordinator. A file that cannot be read
  // is an error to report and no reason to stop.
  boost::asio::awaitable<Status> load();

  // One long poll. A new state is durable before it is acted on. A state in which this node does not appear
  // is refused: an empty answer never means "remove everything".
  boost::asio::awaitable<Status> poll_once();

  boost::asio::awaitable<Status> run();

 private:
  boost::asio::awaitable<Status> take(std::string json);

  Enroller::Deps deps_;
  std::vector<std::string> left_epochs_;  // as stored
  Backoff backoff_;
  RepeatedError trouble_;
};

}  // namespace slipway
