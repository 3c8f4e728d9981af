#pragma once
// Keeps the desired state: from the disk at the start, from the coordinator from then on.
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/domain/desired_order.hpp"
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
  // is refused: an empty answer never means "remove everything"; one in which most nodes are missing must be told
  // three times in a row. When changes do not fit what is held the next poll asks for the whole.
  boost::asio::awaitable<Status> poll_once();

  // Polls; after news not before the kernel has the routes, or they take too long: the next question tells of them.
  boost::asio::awaitable<Status> run();

 private:
  SyncPosition position();
  boost::asio::awaitable<Status> take(SyncNews news);
  Result<proto::DesiredState> whole_of(const std::string& json);
  Result<proto::DesiredState> changed_by(const std::string& json);
  boost::asio::awaitable<Status> keep(std::string json, bool is_delta, proto::DesiredState state);
  void act_on(proto::DesiredState state);
  boost::asio::awaitable<Status> await_routes(SteadyTime asked);
  Millis after_failure(const Error& error);

  Enroller::Deps deps_;
  std::vector<std::string> left_epochs_;  // as stored
  std::size_t kept_bytes_ = 0;            // of the whole state on disk,
  std::size_t delta_bytes_ = 0;           // and of the deltas behind it
  bool log_broken_ = false;               // one could not be written: the next is kept with the whole state
  bool wants_whole_ = false;
  Doubt doubt_;
  bool has_news_ = false;  // since run() looked last
  Millis pace_{0};         // not to ask again before, as the coordinator said last
  Backoff backoff_;
  RepeatedError trouble_;
};

}  // namespace slipway
