#include "agent/domain/reconcile_plan.hpp"

#include <charconv>

namespace slipway {

namespace {

UnitDecision plan_running(const WantedUnit& wanted, const SeenUnit& seen) {
  if (!wanted.inputs || seen.inputs == wanted.inputs) {
    return seen.ill.empty() ? UnitDecision{} : UnitDecision{UnitAction::restart, seen.ill};
  }
  if (seen.status.main_pid == 0)
    return {};  // between two processes: its next one starts with what is on disk
  if (!seen.inputs) return {UnitAction::restart, "it runs from somebody else's unit file"};
  return {UnitAction::restart, "its version, files or certificates changed"};
}

}  // namespace

UnitDecision plan_unit(const WantedUnit& wanted, const SeenUnit& seen) {
  if (!wanted.inputs && seen.status.load != UnitLoad::loaded) return {};
  switch (seen.status.active) {
    case UnitActivity::active:
    case UnitActivity::reloading:
      return plan_running(wanted, seen);
    case UnitActivity::activating:
      // Held back after it ended again and again: what it starts with is other now, so it may try at once.
      if (seen.status.waiting() && wanted.renewed) return {UnitAction::start, "its version, files or certificates changed while it waited"};
      return {};
    case UnitActivity::deactivating:
      return {};
    case UnitActivity::failed:
      return {UnitAction::start, "it failed: " + (seen.status.result.empty() ? std::string("no reason given")
                                                                             : seen.status.result)};
    case UnitActivity::inactive:
      return {UnitAction::start, "it does not run"};
  }
  return {};
}

namespace {

std::optional<std::string> variable_of(std::string_view environment, std::string_view name) {
  const std::string wanted = std::string(name) + "=";
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    const std::string_view entry = environment.substr(0, end);
    if (entry.starts_with(wanted)) return std::string(entry.substr(wanted.size()));
    if (end == std::string_view::npos) break;
    environment.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

std::string StartMark::to_string() const { return repairs == 0 ? digest : digest + "." + std::to_string(repairs); }

std::optional<StartMark> StartMark::parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  StartMark mark{std::string(text.substr(0, dot)), 0};
  if (mark.digest.empty() || mark.digest.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
  if (dot == std::string_view::npos) return mark;
  const std::string_view count = text.substr(dot + 1);
  const auto read = std::from_chars(count.data(), count.data() + count.size(), mark.repairs);
  if (read.ec != std::errc() || read.ptr != count.data() + count.size()) return std::nullopt;
  return mark;
}

std::optional<StartMark> StartMark::of_unit_file(std::string_view text) {
  const std::string name = std::string(k_inputs_variable) + "=";
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + name.size());
  return parse(text.substr(0, text.find_first_not_of("0123456789abcdef.")));
}

std::optional<std::string> inputs_of_environment(std::string_view environment) {
  return variable_of(environment, k_inputs_variable);
}

bool is_same_start(const UnitStatus& known, std::string_view environment) {
  return known.running() && known.main_pid > 0 && !known.invocation.empty() &&
         variable_of(environment, "INVOCATION_ID") == known.invocation;
}

std::string node_phase(const NodeProgress& progress) {
  if (progress.removed) return "Removed";
  if (!progress.joined) return "Joining";
  const bool all = progress.installed && progress.configured && progress.running;
  if (all) return "Running";
  if (progress.was_running) return "Degraded";
  if (!progress.installed) return "Installing";
  return progress.configured ? "Starting" : "Configuring";
}

}  // namespace slipway
