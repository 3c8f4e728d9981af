#pragma once
// A response body that comes into being while it is sent: server-sent events of a watch.
#include <boost/asio/awaitable.hpp>
#include <string>

#include "common/core/result.hpp"

namespace slipway::http {

// Called by one connection, on its I/O thread, one call after the other; destroyed there, also in the middle of a call
// when the connection is cut.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Resumes with the next part, never empty; empty is the orderly end of the body. An error cuts the connection, so that
  // half a body does not look like a whole one. Must resume every now and then (a comment line will do): a connection whose
  // other end is gone is only noticed by writing to it.
  virtual boost::asio::awaitable<Result<std::string>> next() = 0;
};

}  // namespace slipway::http
