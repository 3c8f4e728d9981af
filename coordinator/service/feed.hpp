#pragma once
// What agents are told: which desired revision there is, what has changed in it since theirs, or the whole of it. Each answer is encoded
// once for all who have the same. State thread only.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/async/clock.hpp"
#include "common/async/notifier.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

// A whole desired state. Immutable: may be handed to any thread.
struct Document {
  std::string epoch;
  std::uint64_t revision = 0;  // desired revision
  std::string json;            // proto::DesiredState
};

// What has changed since a revision. Immutable: may be handed to any thread.
struct Delta {
  std::uint64_t to = 0;     // desired revision
  std::uint64_t rests = 0;  // on this revision of the state: not to be told before that is durable
  std::string json;         // proto::DesiredDelta
};

struct FeedCounts {
  std::uint64_t documents = 0;  // encoded, not told
  std::uint64_t deltas = 0;     // likewise
};

class Feed {
 public:
  struct Deps {
    boost::asio::any_io_executor executor;  // of the state thread
    Workers& workers;
    State& state;  // only its history is written
    Clock* clock;  // null: the executor's own timers
    // Resumes when this revision of the state is on disk; an error when it will never be.
    std::function<boost::asio::awaitable<Status>(std::uint64_t revision)> durable;
  };
  explicit Feed(Deps deps);
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  const std::string& epoch() const { return deps_.state.identity().epoch; }
  // The desired revision that agents are told of, durable; 0: there is no cluster yet.
  std::uint64_t revision() const { return told_; }
  // Notified after revision() has risen: check, wait, check again.
  Notifier& changed() { return changed_; }

  // From the one writer: this desired revision is on disk. Told at once, or when the rest since the last one is over.
  void committed(std::uint64_t desired_revision);
  // Tells now what waits for the end of a rest.
  void hurry();
  // The store has failed: whoever waits finds out.
  void fail();

  // For who has `since` of our epoch, which is below revision(). Null: that much is not remembered, the document is for him. One for all
  // who ask for the same until revision() rises.
  std::shared_ptr<const Delta> delta(std::uint64_t since);
  // Of at least this desired revision, which the state has; encoded by a worker, once for all who ask meanwhile, and kept for half a minute.
  boost::asio::awaitable<Result<std::shared_ptr<const Document>>> document(std::uint64_t at_least);

  // Regularly: what all live agents have applied, or what was told an hour ago, need not be remembered.
  void trim(std::uint64_t acknowledged);
  const FeedCounts& counts() const { return counts_; }

 private:
  void tell();
  boost::asio::awaitable<bool> rest(Millis duration);
  boost::asio::awaitable<Status> rest_and_tell(Millis window);
  boost::asio::awaitable<Status> encode_wanted();
  boost::asio::awaitable<Status> encode_one();
  boost::asio::awaitable<Status> forget_document();

  Deps deps_;
  std::uint64_t told_ = 0;
  std::uint64_t durable_ = 0;  // desired revision; more than told_: at the end of the rest
  bool resting_ = false;
  Notifier changed_;
  Notifier pacing_;  // never notified: its time-out is the rest
  std::map<std::uint64_t, std::shared_ptr<const Delta>> deltas_;  // by the revision they begin at
  std::shared_ptr<const Document> document_;
  std::optional<Error> trouble_;  // of the last attempt to encode a document
  bool wanted_ = false;           // a newer document than document_
  bool encoding_ = false;
  bool forgetting_ = false;
  bool used_ = false;  // the document, since it was looked at last
  Notifier encoded_;
  std::deque<std::pair<SteadyTime, std::uint64_t>> past_;  // what was told when, a mark a minute
  FeedCounts counts_;
};

}  // namespace slipway
