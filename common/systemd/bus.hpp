#pragma once
// D-Bus method calls and signals on an Asio executor, over sd-bus. No sd-bus type leaves bus.cpp.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway::systemd {

// Any value of a message: D-Bus variants appear as what they hold; arrays, structs and dictionary entries as
// lists. Numbers are widened, object paths and signatures are text; file descriptors are dropped.
struct BusValue {
  using List = std::vector<BusValue>;
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, List> data;

  // Empty, 0 or false when it is of another kind.
  std::string text() const;
  bool flag() const;
  std::int64_t number() const;
  std::uint64_t count() const;
  const List& list() const;
  // In a dictionary (a list of pairs): the value of `key`, or an empty value.
  const BusValue& operator[](std::string_view key) const;
};
using BusValues = std::vector<BusValue>;

struct BusCall {
  using Dictionary = std::map<std::string, std::variant<std::string, std::vector<std::string>>>;
  using Argument = std::variant<std::string, bool, std::vector<std::string>, std::int32_t, std::uint32_t,
                                Dictionary>;  // s, b, as, i, u, a{sv}
  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
  std::vector<Argument> arguments;
};

struct BusMatch {
  std::string sender;
  std::string path;
  std::string interface;
  std::string member;
};

// One connection. All calls, and the destructor, on the executor's thread. Destroying it ends waiting calls
// with Errc::unavailable; it never blocks.
class Bus {
 public:
  // Empty `address`: the system bus. Does not wait for the connection: calls are queued and fail if it fails.
  static Result<std::unique_ptr<Bus>> open(boost::asio::any_io_executor executor, const std::string& address);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // The reply's values. Errc::timeout after `limit`; Errc::unavailable when the connection or the service is
  // gone; Errc::not_found, Errc::denied as the service says, else Errc::internal. Cancellation forgets the
  // reply (Errc::canceled); the service still acts on the call.
  boost::asio::awaitable<Result<BusValues>> call(BusCall call, Millis limit);
  // Without a reply.
  Status send(const BusCall& call);
  // `handler` runs on the executor for each such signal until the bus is destroyed; it must not destroy the
  // bus. Calls made after this are processed after the subscription.
  Status on_signal(const BusMatch& match, std::function<void(const BusValues&)> handler);
  // False once the connection is lost: open another.
  bool alive() const;
  // Called once when the connection is lost, not on destruction.
  void on_lost(std::function<void()> handler);

 private:
  struct Impl;
  explicit Bus(std::shared_ptr<Impl> impl);
  static boost::asio::awaitable<Result<BusValues>> call_on(std::shared_ptr<Impl> impl, BusCall call,
                                                           Millis limit);
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipway::systemd
