#pragma once
// Adapter: the FileReaders port on the D-Bus interfaces of NetworkManager (from 1.22 on) and systemd-networkd
// (from 244 on).
//
// systemd-udevd needs nobody to tell it: with each event, but at most every three seconds, it looks whether
// one of the folders with .link files has another time (systemd: udev-manager.c, manager_reload;
// link-config.c, link_config_should_reload).
#include <boost/asio/any_io_executor.hpp>
#include <string>
#include <utility>

#include "agent/ports/file_readers.hpp"
#include "common/async/clock.hpp"

namespace slipway {

struct NetworkManagersOptions {
  std::string bus_address;    // empty: the system bus
  Millis call_limit{10'000};  // networkd looks at all its links meanwhile
};

// Connects for each question: they are rare. On the executor's thread; must outlive the coroutines of its
// calls.
class NetworkManagers final : public FileReaders {
 public:
  explicit NetworkManagers(boost::asio::any_io_executor executor, NetworkManagersOptions options = {})
      : executor_(std::move(executor)), options_(std::move(options)) {}

  boost::asio::awaitable<Result<bool>> reread(FileReader reader) override;

 private:
  boost::asio::any_io_executor executor_;
  NetworkManagersOptions options_;
};

}  // namespace slipway
