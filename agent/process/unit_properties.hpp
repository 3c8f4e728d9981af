#pragma once
// systemd's D-Bus properties of a service as a UnitStatus. Pure; for systemd_supervisor.cpp and its tests.
#include <string>

#include "agent/domain/unit_status.hpp"
#include "common/systemd/bus.hpp"

namespace slipway {

// `unit` and `service` are the dictionaries that Properties.GetAll returns for org.freedesktop.systemd1.Unit
// and .Service. What is missing or unknown keeps its default.
UnitStatus unit_status_from(const std::string& name, const systemd::BusValue& unit,
                            const systemd::BusValue& service);

}  // namespace slipway
