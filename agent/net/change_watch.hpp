#pragma once
// Tells that links, addresses, forwarding, or routes, tunnel entries and packet filter rules of ours have changed.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "agent/ports/network.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// Listens from open() on. On `executor`'s thread only; must outlive its waiters.
class ChangeWatch {
 public:
  // Route changes that come from the socket `own_port` are no news. `buffer`: bytes that the kernel may hold back of links and
  // routes; what does not fit is lost, and told as news of links.
  static Result<ChangeWatch> open(boost::asio::any_io_executor executor, std::uint32_t own_port = 0, int buffer = 1 << 20);
  ~ChangeWatch();
  ChangeWatch(ChangeWatch&&) noexcept;
  ChangeWatch& operator=(ChangeWatch&&) noexcept;

  // Tunnel entries of the interface `overlay` are watched from now on; 0: none are. The kernel does not tell who changes
  // forwarding entries: nobody is heard while our own are being changed. Hosts with many neighbours tell of one or another all
  // the time: the kernel itself throws away what is not about `overlay`.
  void watch_overlay(int overlay);

  // Resumes at the next change, at once when there was one since the last call. Pods coming and going on a
  // bridge are none.
  boost::asio::awaitable<Result<NetworkNews>> changed();

  // How often so far something was heard of that may have changed what FilterRules::observe() reads of nftables; what was lost
  // counts. Takes what is there to hear; changed() tells of it all the same. Empty: nothing is to be heard.
  std::optional<std::uint64_t> filter_changes();

 private:
  struct Impl;
  explicit ChangeWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::net
