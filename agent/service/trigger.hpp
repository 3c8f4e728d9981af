#pragma once
// A remembered wish to run: several before the runner comes round are one. One thread.
#include <boost/asio/awaitable.hpp>

#include "common/async/notifier.hpp"

namespace slipway {

class Trigger {
 public:
  void set() {
    set_ = true;
    notifier_.notify();
  }
  // Takes the wish back; true: there was one.
  bool take() {
    const bool was = set_;
    set_ = false;
    return was;
  }
  bool is_set() const { return set_; }
  // Resumes when set, after `max`, or when cancelled. The wish is taken.
  boost::asio::awaitable<bool> wait(Millis max);

 private:
  bool set_ = false;
  Notifier notifier_;
};

// Whether an error is news: a task that retries for days shall not fill the log.
class RepeatedError {
 public:
  // True for a new text, and every ten minutes for the same one.
  bool worth_logging(const std::string& message, SteadyTime now);
  // The trouble is over. True: there was one that was logged.
  bool clear();

 private:
  std::string last_;
  SteadyTime logged_{};
};

}  // namespace slipway
