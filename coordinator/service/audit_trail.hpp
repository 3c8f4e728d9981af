#pragma once
// Refusals in the audit log. Each has a record of its own, but strangers must not fill the disk: beyond a few
// a minute for each address and in total they are counted, and one record tells the count.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "common/core/result.hpp"
#include "coordinator/service/registrar.hpp"
#include "proto/audit.hpp"

namespace slipway {

// Between two calls of flush(), a minute. At half a kilobyte a record an endless attack writes at most about
// 60 MB a day.
struct RefusalLimits {
  std::uint64_t address_burst = 10;
  std::uint64_t total_burst = 60;
  std::size_t max_addresses = 20;  // counted apart; the others together
};

class AuditTrail {
 public:
  // `state`: executor of the state thread.
  AuditTrail(boost::asio::any_io_executor state, Registrar& registrar, RefusalLimits limits = {})
      : state_(std::move(state)), registrar_(registrar), limits_(limits) {}

  // State thread. Resumes when the refusal is on disk or counted; an error means that the process is ending.
  boost::asio::awaitable<Status> refused(proto::AuditRecord record);
  // Any thread; does not wait.
  void refused_later(proto::AuditRecord record);
  // Any thread: counted only.
  void count(const std::string& action, const std::string& address);
  // State thread: the records of what was counted since the last call.
  boost::asio::awaitable<Status> flush();

 private:
  using Key = std::pair<std::string, std::string>;  // action, address
  bool takes(const proto::AuditRecord& record);
  void count_locked(const std::string& action, const std::string& address);

  boost::asio::any_io_executor state_;
  Registrar& registrar_;
  const RefusalLimits limits_;
  std::mutex
      mutex_;  // of all below: count() is for the I/O threads, where a hop would cost more than a flood may
  std::map<std::string, std::uint64_t> taken_;  // by address
  std::uint64_t total_ = 0;
  std::map<Key, std::uint64_t> counted_;
};

}  // namespace slipway
