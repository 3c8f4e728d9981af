#include "agent/service/health.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/domain/enrollment_state.hpp"
#include "agent/service/status.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

using Checks = std::vector<proto::HealthCheck>;

proto::HealthCheck well(std::string name, std::string message = {}) {
  return {std::move(name), true, std::move(message), "", false};
}
proto::HealthCheck ill(std::string name, std::string message, std::string cure) {
  return {std::move(name), false, std::move(message), std::move(cure), false};
}
proto::HealthCheck warning(std::string name, std::string message, std::string cure) {
  return {std::move(name), true, std::move(message), std::move(cure), true};
}

void check_membership(const AgentState& state, Checks& checks) {
  if (state.removed) {
    checks.push_back(ill("membership", "this node was deleted from its cluster", k_join_anew));
  } else if (!state.identity) {
    checks.push_back(ill("membership",
                         state.join_message.empty() ? "this host is joining" : state.join_message,
                         state.join_cure));
  } else {
    checks.push_back(
        well("membership", "node " + state.identity->node_name + " of cluster " + state.identity->cluster));
  }
}

void check_coordinator(const AgentState& state, WallTime now, Checks& checks) {
  const std::string heard =
      state.last_contact
          ? "last contact " + to_age_text(std::max(now - *state.last_contact, Seconds(0))) + " ago"
          : "no contact since the agent's start";
  if (!state.identity) return;
  if (state.sync_message.empty() && !state.last_contact) {
    checks.push_back(warning("coordinator", heard, "wait a minute"));
    return;
  }
  if (state.sync_message.empty()) {
    checks.push_back(
        well("coordinator", (state.coordinator.empty() ? std::string() : state.coordinator + ", ") + heard));
    return;
  }
  checks.push_back(ill("coordinator", state.sync_message + " (" + heard + "; the node goes on as it is)",
                       "slipway-agent preflight tells whether the way is open; is the coordinator up?"));
}

void check_components(const AgentState& state, const HealthEvidence& evidence, Checks& checks) {
  for (const proto::ComponentStatus& component : build_report(state).components) {
    const std::string name = "component " + component.name;
    const std::string log = "journalctl -u " + component.name;
    const auto probe = evidence.probes.find(component.name);
    if (component.state != "running") {
      const bool wait =
          component.state == "installing" || component.state == "waiting" || component.state == "starting";
      checks.push_back(ill(name,
                           component.state + (component.message.empty() ? "" : ": " + component.message),
                           wait ? "wait; slipway-agent status shows how far it is" : log));
    } else if (probe != evidence.probes.end() && !probe->second) {
      checks.push_back(ill(name, "runs and does not answer: " + probe->second.error().message,
                           "the agent starts it anew when that lasts; " + log));
    } else if (component.restarts > 0) {
      checks.push_back(warning(
          name, "running, restarted " + std::to_string(component.restarts) + " times by systemd", log));
    } else {
      checks.push_back(
          well(name, "running" + std::string(probe != evidence.probes.end() ? ", answers" : "")));
    }
  }
}

void check_certificates(const AgentState& state, WallTime now, Checks& checks) {
  if (!state.identity) return;
  const char* cure =
      "the agent renews by itself once it reaches the coordinator; is the clock of this host right?";
  std::vector<std::string> ended, late;
  for (const CertificateLife& life : state.lives) {
    if (life.not_after <= now) {
      ended.push_back(life.usage + " " + to_age_text(now - life.not_after) + " ago");
    } else if (renewal_time(life, state.renew_at) + Seconds(3600) < now) {
      late.push_back(life.usage + ", which ends in " + to_age_text(life.not_after - now));
    }
  }
  if (!ended.empty()) {
    checks.push_back(ill("certificates", "ended: " + join(ended, ", "), cure));
  } else if (!state.renew_message.empty() && state.renew_message != state.address_message) {
    checks.push_back(ill("certificates", state.renew_message, cure));
  } else if (!late.empty()) {
    checks.push_back(warning("certificates", "not renewed in time: " + join(late, "; "), cure));
  } else {
    checks.push_back(well("certificates", std::to_string(state.lives.size()) + " in force"));
  }
}

void check_address(const AgentState& state, Checks& checks) {
  if (!state.identity) return;
  if (!state.address_message.empty()) {
    checks.push_back(ill("address", state.address_message,
                         "give this host " + state.identity->address + " back, or see docs/nodes.md"));
  } else if (state.moves_to) {
    checks.push_back(warning(
        "address", "registered at " + state.identity->address + ", now at " + state.moves_to->to_string(),
        "wait: the coordinator is asked to let the node move"));
  } else {
    checks.push_back(well("address", state.identity->address));
  }
}

void check_pass(const AgentState& state, Checks& checks) {
  if (!state.last_pass) {
    if (state.identity)
      checks.push_back(warning("reconciliation", "no pass has ended since the agent's start",
                               state.busy.empty() ? "wait" : "wait: " + state.busy));
    return;
  }
  const PassReport& pass = *state.last_pass;
  checks.push_back(pass.network_ready
                       ? well("network", "pods " + (state.identity ? state.identity->pod_cidr : ""))
                       : ill("network", pass.network_message.empty() ? "not ready" : pass.network_message,
                             "is the node's address on a link that is up? slipway-agent preflight; ip route "
                             "show proto 77"));
  if (!pass.problems.empty()) {
    checks.push_back(ill("reconciliation", join(pass.problems, "; "),
                         "the agent tries again by itself; journalctl -u slipway-agent"));
  } else {
    checks.push_back(well("reconciliation", "revision " + std::to_string(pass.revision)));
  }
  if (state.drift) {
    checks.push_back(
        warning("as-written",
                "somebody changed what the agent keeps, it was put back: " + join(state.drift->what, ", "),
                "find out who: another tool may manage the same files"));
  }
}

// What stands in the way of joining, such as taken ports, is none of a living node's matters; nor are warnings of what may stay as it is
// for good on a node that is well. `slipway-agent preflight` has them.
void check_host(const proto::PreflightReport& host, Checks& checks) {
  constexpr std::array<std::string_view, 4> k_joining = {"ports", "foreign-software", "host-name", "root"};
  constexpr std::array<std::string_view, 4> k_advice = {"firewall", "network-manager", "proxy", "sysctls"};
  constexpr std::array<std::string_view, 3> k_always = {"disk", "clock", "reach"};
  for (const proto::PreflightFinding& finding : host.findings) {
    const bool advice = std::find(k_advice.begin(), k_advice.end(), finding.check) != k_advice.end();
    const bool always = std::find(k_always.begin(), k_always.end(), finding.check) != k_always.end();
    if (std::find(k_joining.begin(), k_joining.end(), finding.check) != k_joining.end() || finding.ignored)
      continue;
    if (finding.severity == "error") {
      checks.push_back(ill(finding.check, finding.message, finding.cure));
    } else if (finding.severity == "warning" && !advice) {
      checks.push_back(warning(finding.check, finding.message, finding.cure));
    } else if (always) {
      checks.push_back(well(finding.check, finding.message));
    }
  }
}

}  // namespace

proto::HealthReport agent_health(const AgentState& state, const HealthEvidence& evidence, WallTime now) {
  proto::HealthReport report;
  check_membership(state, report.checks);
  check_coordinator(state, now, report.checks);
  check_certificates(state, now, report.checks);
  check_address(state, report.checks);
  check_components(state, evidence, report.checks);
  check_pass(state, report.checks);
  check_host(evidence.host, report.checks);
  report.ok = std::all_of(report.checks.begin(), report.checks.end(),
                          [](const proto::HealthCheck& check) { return check.ok; });
  return report;
}

}  // namespace slipway
