#include "agent/process/unit_properties.hpp"

#include "common/core/text.hpp"

namespace slipway {

namespace {

using systemd::BusValue;

UnitLoad load_from(const std::string& word) {
  if (word == "loaded" || word == "merged") return UnitLoad::loaded;
  if (word == "masked") return UnitLoad::masked;
  if (word == "bad-setting" || word == "error") return UnitLoad::bad;
  return UnitLoad::not_found;
}

UnitActivity activity_from(const std::string& word) {
  if (word == "active") return UnitActivity::active;
  if (word == "reloading" || word == "refreshing") return UnitActivity::reloading;
  if (word == "failed") return UnitActivity::failed;
  if (word == "activating") return UnitActivity::activating;
  if (word == "deactivating") return UnitActivity::deactivating;
  return UnitActivity::inactive;
}

// The CLD_ codes of waitid(2).
ExitKind exit_from(std::int64_t code) {
  switch (code) {
    case 1:
      return ExitKind::exited;
    case 2:
      return ExitKind::killed;
    case 3:
      return ExitKind::dumped;
    default:
      return ExitKind::none;
  }
}

// Microseconds since 1970; 0: never.
std::optional<WallTime> time_from(const BusValue& value) {
  const std::uint64_t micros = value.count();
  if (micros == 0 || micros == UINT64_MAX) return std::nullopt;
  return WallTime(Seconds(static_cast<std::int64_t>(micros / 1'000'000)));
}

std::string hex_from(const BusValue& bytes) {
  std::string raw;
  for (const BusValue& byte : bytes.list()) raw.push_back(static_cast<char>(byte.count()));
  return to_hex(raw);
}

}  // namespace

UnitStatus unit_status_from(const std::string& name, const BusValue& unit, const BusValue& service) {
  UnitStatus status;
  status.name = name;
  status.load = load_from(unit["LoadState"].text());
  status.active = activity_from(unit["ActiveState"].text());
  status.sub_state = unit["SubState"].text();
  status.enabled = unit["UnitFileState"].text().starts_with("enabled");
  status.unit_file = unit["FragmentPath"].text();
  status.needs_reload = unit["NeedDaemonReload"].flag();
  status.invocation = hex_from(unit["InvocationID"]);
  status.main_pid = static_cast<std::int32_t>(service["MainPID"].number());
  status.restarts = static_cast<std::uint32_t>(service["NRestarts"].count());
  status.exit_kind = exit_from(service["ExecMainCode"].number());
  status.exit_status = static_cast<std::int32_t>(service["ExecMainStatus"].number());
  status.result = service["Result"].text();
  status.started = time_from(service["ExecMainStartTimestamp"]);
  status.ended = time_from(service["ExecMainExitTimestamp"]);
  return status;
}

std::optional<UnitEnd> unit_end_from(const BusValue& service) {
  UnitEnd end;
  end.kind = exit_from(service["ExecMainCode"].number());
  if (end.kind == ExitKind::none) return std::nullopt;
  end.status = static_cast<std::int32_t>(service["ExecMainStatus"].number());
  end.result = service["Result"].text();
  end.at = time_from(service["ExecMainExitTimestamp"]);
  return end;
}

UnitEnd end_of(const UnitStatus& status) { return {status.exit_kind, status.exit_status, status.result, status.ended}; }

void put_end(UnitStatus& status, const UnitEnd& end) {
  status.exit_kind = end.kind;
  status.exit_status = end.status;
  status.ended = end.at;
  if (status.result.empty() || status.result == "success") status.result = end.result;
}

}  // namespace slipway
