#pragma once
// systemd's D-Bus properties of a service as a UnitStatus. Pure; for systemd_supervisor.cpp and its tests.
#include <optional>
#include <string>

#include "agent/domain/unit_status.hpp"
#include "common/systemd/bus.hpp"

namespace slipway {

// `unit` and `service` are the dictionaries that Properties.GetAll returns for org.freedesktop.systemd1.Unit
// and .Service. What is missing or unknown keeps its default.
UnitStatus unit_status_from(const std::string& name, const systemd::BusValue& unit,
                            const systemd::BusValue& service);

// How a main process ended.
struct UnitEnd {
  ExitKind kind = ExitKind::none;
  std::int32_t status = 0;
  std::string result;
  std::optional<WallTime> at;
};
// What a PropertiesChanged of the .Service interface tells of an end; empty: it tells of none.
std::optional<UnitEnd> unit_end_from(const systemd::BusValue& service);
UnitEnd end_of(const UnitStatus& status);
void put_end(UnitStatus& status, const UnitEnd& end);

}  // namespace slipway
