#include "agent/net/network_managers.hpp"

#include <cstdint>
#include <memory>

#include "common/systemd/bus.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

using systemd::BusCall;
using systemd::BusValues;

// NetworkManager.conf and its drop-ins, without the DNS of the host (NM_MANAGER_RELOAD_FLAG_CONF).
constexpr std::uint32_t k_configuration = 1;

BusCall reload_call(FileReader reader) {
  switch (reader) {
    case FileReader::network_manager:
      return {"org.freedesktop.NetworkManager",
              "/org/freedesktop/NetworkManager",
              "org.freedesktop.NetworkManager",
              "Reload",
              {k_configuration}};
    case FileReader::networkd:
      break;
  }
  return {"org.freedesktop.network1",
          "/org/freedesktop/network1",
          "org.freedesktop.network1.Manager",
          "Reload",
          {}};
}

// The bus would start it for any question to itself.
BusCall has_owner(const std::string& name) {
  return {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", {name}};
}

}  // namespace

asio::awaitable<Result<bool>> NetworkManagers::reread(FileReader reader) {
  const auto bus = systemd::Bus::open(executor_, options_.bus_address);
  // A host without a bus has neither of them.
  if (!bus) co_return bus.error().code == Errc::unavailable ? Result<bool>(false) : Result<bool>(bus.error());
  const BusCall reload = reload_call(reader);
  asio::awaitable<Result<BusValues>> asking =
      (*bus)->call(has_owner(reload.destination), options_.call_limit);
  const Result<BusValues> owned = co_await std::move(asking);
  if (!owned && owned.error().code == Errc::unavailable) co_return false;
  if (!owned) co_return owned.error();
  if (owned->empty() || !(*owned)[0].flag()) co_return false;
  asio::awaitable<Result<BusValues>> telling = (*bus)->call(reload, options_.call_limit);
  const Result<BusValues> done = co_await std::move(telling);
  if (done) co_return true;
  // It ended meanwhile, or is of before there was such a call.
  const bool old = done.error().code == Errc::not_found || done.error().code == Errc::unavailable;
  if (old) co_return false;
  co_return done.error();
}

}  // namespace slipway
