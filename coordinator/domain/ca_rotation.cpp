#include "coordinator/domain/ca_rotation.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::array<std::pair<CaPhase, std::string_view>, 4> k_phases = {{{CaPhase::stable, "stable"},
                                                                            {CaPhase::distributing, "distributing"},
                                                                            {CaPhase::replacing, "replacing"},
                                                                            {CaPhase::reverting, "reverting"}}};
constexpr std::size_t k_max_shown = 10;

std::string command(const CaLine& line, std::string_view step) {
  return "slipwayctl certs rotate-ca " + std::string(to_string(line.kind)) + " --" + std::string(step);
}

Error not_now(const CaLine& line, const std::string& what) {
  return make_error(Errc::conflict, "the " + std::string(to_string(line.kind)) + " authority is " + std::string(to_string(line.phase)) +
                                        ": " + what);
}

std::string shown(const std::vector<std::string>& names) {
  std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), k_max_shown)));
  std::string text = join(first, ", ");
  if (names.size() > k_max_shown) text += " and " + std::to_string(names.size() - k_max_shown) + " more";
  return text;
}

bool in_exchange(CaPhase phase) { return phase == CaPhase::replacing || phase == CaPhase::reverting; }

void exchange(CaLine& line, CaPhase phase, WallTime now) {
  std::swap(line.signing, *line.other);
  line.phase = phase;
  line.changed_at = now;
}

void settle(CaLine& line, std::string bundle_sha256, WallTime now) {
  line.other.reset();
  line.phase = CaPhase::stable;
  line.bundle_sha256 = std::move(bundle_sha256);
  line.changed_at = now;
}

}  // namespace

std::string_view to_string(CaPhase phase) {
  for (const auto& [value, name] : k_phases) {
    if (value == phase) return name;
  }
  return "?";
}

std::optional<CaPhase> ca_phase_from_string(std::string_view text) {
  for (const auto& [value, name] : k_phases) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::optional<CaStep> ca_step_from_string(std::string_view text) {
  if (text == "prepare") return CaStep::prepare;
  if (text == "activate") return CaStep::activate;
  if (text == "abort") return CaStep::abort;
  if (text == "retire") return CaStep::retire;
  return std::nullopt;
}

bool other_serves(CaPhase phase, std::uint64_t signing, std::uint64_t other) { return in_exchange(phase) && other < signing; }

const CaFacts& server_ca(const CaLine& line) {
  const bool other = line.other && other_serves(line.phase, line.signing.number, line.other->number);
  return other ? *line.other : line.signing;
}

bool may_sign(const CaLine& line, std::uint64_t number) {
  return line.signing.number == number || (in_exchange(line.phase) && line.other->number == number);
}

CaLine adopt_ca(CaKind kind, CaFacts first, std::string bundle_sha256, WallTime now) {
  CaLine line;
  line.kind = kind;
  line.last_number = first.number;
  line.signing = std::move(first);
  line.bundle_sha256 = std::move(bundle_sha256);
  line.changed_at = now;
  return line;
}

Result<CaLine> prepare_ca(CaLine line, CaFacts next, std::string bundle_sha256, WallTime now) {
  if (line.phase != CaPhase::stable) {
    return not_now(line, "its replacement by number " + std::to_string(line.other->number) + " is under way; finish it, or run " +
                             command(line, "abort"));
  }
  if (next.number <= line.last_number) return make_error(Errc::internal, "a new authority needs a new number");
  if (next.key_id == line.signing.key_id) {
    return make_error(Errc::conflict, "the new " + std::string(to_string(line.kind)) + " authority has the key of the one in use: nothing would be replaced");
  }
  line.last_number = next.number;
  line.other = std::move(next);
  line.phase = CaPhase::distributing;
  line.bundle_sha256 = std::move(bundle_sha256);
  line.changed_at = now;
  return line;
}

Result<CaLine> activate_ca(CaLine line, const std::vector<std::string>& waiting_for, WallTime now) {
  if (line.phase == CaPhase::stable) return not_now(line, "there is nothing to activate; begin with " + command(line, "prepare"));
  if (line.phase == CaPhase::replacing) return not_now(line, "the new one signs already");
  if (!waiting_for.empty()) {
    return not_now(line, std::to_string(waiting_for.size()) + " nodes have not confirmed that they trust both authorities: " + shown(waiting_for) +
                             "; bring them back, or remove those that are gone for good (slipwayctl node delete)");
  }
  exchange(line, CaPhase::replacing, now);
  return line;
}

Result<CaLine> abort_ca(CaLine line, std::string bundle_sha256, WallTime now) {
  if (line.phase == CaPhase::stable) return not_now(line, "there is nothing to take back");
  if (line.phase == CaPhase::reverting) return not_now(line, "it is on its way back already; when nothing holds it run " + command(line, "retire"));
  if (line.phase == CaPhase::replacing) {
    // Everybody trusts both: certificates of the new one stay good while they are replaced.
    exchange(line, CaPhase::reverting, now);
    return line;
  }
  settle(line, std::move(bundle_sha256), now);
  return line;
}

Result<CaLine> retire_ca(CaLine line, const std::vector<std::string>& held_by, bool force, std::string bundle_sha256, WallTime now) {
  if (!in_exchange(line.phase)) {
    return not_now(line, line.phase == CaPhase::stable ? "there is nothing to retire" : "the new one does not sign yet; run " + command(line, "activate"));
  }
  if (!held_by.empty() && !force) {
    return not_now(line, "number " + std::to_string(line.other->number) + " is still needed by: " + shown(held_by) +
                             "; wait until that is replaced or over, or run " + command(line, "retire --force") + ", which ends it");
  }
  settle(line, std::move(bundle_sha256), now);
  return line;
}

std::vector<std::uint64_t> bundle_after(const CaLine& line, CaStep step, std::uint64_t next) {
  std::vector<std::uint64_t> numbers = {line.signing.number};
  const bool stays = step == CaStep::activate || (step == CaStep::abort && line.phase != CaPhase::distributing);
  if (step == CaStep::prepare) numbers.push_back(next);
  if (stays && line.other) numbers.push_back(line.other->number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string next_step(const CaLine& line, std::size_t waiting_for, std::size_t held_by) {
  switch (line.phase) {
    case CaPhase::stable:
      return {};
    case CaPhase::distributing:
      if (waiting_for > 0) return "wait for " + std::to_string(waiting_for) + " nodes to confirm; to give up: " + command(line, "abort");
      return command(line, "activate");
    case CaPhase::replacing:
      if (held_by > 0) return "wait until nothing needs the old one; to go back: " + command(line, "abort");
      return command(line, "retire");
    case CaPhase::reverting:
      if (held_by > 0) return "wait until nothing needs the newer one; to go on after all: " + command(line, "activate");
      return command(line, "retire");
  }
  return {};
}

}  // namespace slipway
