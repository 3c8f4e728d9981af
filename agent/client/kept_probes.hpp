#pragma once
// Asks components on this host again and again, over connections that are kept: a new one costs both sides many times what a question does.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>

#include "common/async/clock.hpp"
#include "common/http/probe_connection.hpp"

namespace slipway {

// One executor's thread. Must outlive its questions.
class KeptProbes {
 public:
  // So often one connection is asked; then a new one shows that the component still takes any.
  static constexpr int k_questions = 6;

  // As probe_once(). That a kept connection has gone, as after a restart, is no illness: a new one is asked.
  boost::asio::awaitable<Status> ask(http::ProbeQuestion question, Millis limit);

 private:
  struct Kept {
    std::unique_ptr<http::ProbeConnection> connection;
    int asked = 0;
  };
  Kept take(const http::ProbeQuestion& question, const boost::asio::any_io_executor& executor);
  boost::asio::awaitable<Status> ask_kept_or_new(http::ProbeQuestion question);
  void keep(http::ProbeQuestion question, Kept kept);

  std::map<http::ProbeQuestion, Kept> idle_;
};

}  // namespace slipway
