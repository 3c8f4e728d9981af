// What the agent says on its own host.
#include <catch2/catch.hpp>

#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/trouble_log.hpp"
#include "agent/local_status.hpp"
#include "agent/service/health.hpp"
#include "agent/service/status.hpp"

using namespace slipway;

namespace {

const WallTime k_now = parse_rfc3339("2026-11-22T12:00:00Z").value();

proto::LocalError trouble(const std::string& source, const std::string& message) {
  return {source, message, "cure of " + source, ""};
}

NodeIdentity identity() {
  NodeIdentity identity;
  identity.cluster = "demo";
  identity.node_name = "node1";
  identity.role = "node";
  identity.address = "10.77.0.13";
  identity.pod_cidr = "10.10.3.0/24";
  return identity;
}

// A node that is well.
AgentState well() {
  AgentState state;
  state.identity = identity();
  state.coordinator = "https://10.77.0.10:7443";
  state.last_contact = k_now - Seconds(7);
  state.lives = {{"agent", "1f", k_now - Seconds(3600), k_now + Seconds(82800)},
                 {"kubeletServing", "2f", k_now - Seconds(3600), k_now + Seconds(600000)}};
  PassReport pass;
  pass.revision = 42;
  pass.installed = pass.configured = pass.network_ready = pass.peers_applied = true;
  pass.components = {{"kubelet", "1.20.2", "", "", "kubelet.service", std::nullopt}};
  state.last_pass = pass;
  UnitStatus unit;
  unit.name = "kubelet.service";
  unit.load = UnitLoad::loaded;
  unit.active = UnitActivity::active;
  unit.main_pid = 812;
  unit.started = k_now - Seconds(7200);
  state.units["kubelet.service"] = unit;
  return state;
}

const proto::HealthCheck* find(const proto::HealthReport& report, const std::string& name) {
  for (const proto::HealthCheck& check : report.checks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("troubles know since when they stand, and the last one is remembered", "[agent][local]") {
  TroubleLog log;
  CHECK_FALSE(log.last());
  log.update({trouble("coordinator", "no answer")}, k_now);
  log.update({trouble("coordinator", "no answer, 3 s later"), trouble("kubelet", "crashes")},
             k_now + Seconds(10));
  REQUIRE(log.standing().size() == 2);
  CHECK(log.standing()[0].since == to_rfc3339(k_now));
  CHECK(log.standing()[0].message == "no answer, 3 s later");
  CHECK(log.last()->source == "kubelet");
  CHECK(log.last()->since == to_rfc3339(k_now + Seconds(10)));
  log.update({trouble("coordinator", "no answer")}, k_now + Seconds(20));
  CHECK(log.last()->source == "kubelet");
  CHECK(log.last()->ended == to_rfc3339(k_now + Seconds(20)));
  log.update({}, k_now + Seconds(30));
  CHECK(log.standing().empty());
  CHECK(log.last()->ended == to_rfc3339(k_now + Seconds(20)));  // it stays, with its end
  log.update({trouble("kubelet", "crashes")}, k_now + Seconds(40));
  CHECK(log.last()->since == to_rfc3339(k_now + Seconds(40)));
  CHECK_FALSE(log.last()->ended);
}

TEST_CASE("every trouble that stands has a source, a cure and its own words", "[agent][local]") {
  AgentState state = well();
  CHECK(standing_errors(state).empty());
  state.join_message = "the token is used up; slipwayctl token create";
  state.join_cure = "slipwayctl token create";
  state.sync_message = "connecting to 10.77.0.10:7443: refused";
  state.renew_message = "renewing certificates: refused";
  state.address_message = "the address is taken";
  state.crash_loops["kubelet.service"] = "5 restarts: exit code 1";
  state.last_pass->problems = {"kubelet: installing: no space left", "something: else happened to be wrong"};
  const auto errors = standing_errors(state);
  REQUIRE(errors.size() == 7);
  CHECK(errors[0].source == "join");
  CHECK(errors[0].message == "the token is used up");
  CHECK(errors[0].cure == "slipwayctl token create");
  CHECK(errors[5].source == "kubelet");
  CHECK(errors[5].message == "installing: no space left");
  for (const proto::LocalError& error : errors) CHECK_FALSE(error.cure.empty());
}

TEST_CASE("the local status tells phase, components, certificates, coordinator, errors and drift",
          "[agent][local]") {
  AgentState state = well();
  state.sync_message = "connecting to 10.77.0.10:7443: refused";
  state.drift =
      Drift{k_now - Seconds(60), {}, {"/etc/cni/net.d/10-slipway.conflist", "route 10.10.4.0/24", "a", "b"}};
  state.troubles.update(standing_errors(state), k_now - Seconds(90));
  const proto::AgentLocalStatus status = build_local_status(state, k_now);
  CHECK(status.coordinator == "https://10.77.0.10:7443");
  CHECK(status.component_since.at("kubelet") == to_rfc3339(k_now - Seconds(7200)));
  CHECK(status.certificates.size() == 2);
  const std::string table = status_table(status, k_now);
  for (const char* part :
       {"https://10.77.0.10:7443, last contact 7s ago", "10.77.0.13, pods 10.10.3.0/24", "2h", "in 23h",
        "RENEWAL", "coordinator", "1m30s ago", "-> the node goes on as it is", "put back 1m", "and 1 more"}) {
    INFO(part);
    INFO(table);
    CHECK(table.find(part) != std::string::npos);
  }
  CHECK(table.find("2f") == std::string::npos);
  const std::string wide = status_table(status, k_now, true);
  CHECK(wide.find("SERIAL") != std::string::npos);
  CHECK(wide.find("and 1 more") == std::string::npos);
}

TEST_CASE("a node that is well is well", "[agent][local]") {
  const proto::HealthReport report =
      agent_health(well(), {{{"kubelet", Status{}}}, {true, {{"disk", "ok", "9 GiB", "", false}}}}, k_now);
  for (const proto::HealthCheck& check : report.checks) {
    INFO(check.name << ": " << check.message);
    CHECK(check.ok);
    CHECK_FALSE(check.warning);
  }
  CHECK(report.ok);
  for (const char* name : {"membership", "coordinator", "certificates", "address", "component kubelet",
                           "network", "reconciliation", "disk"}) {
    INFO(name);
    CHECK(find(report, name) != nullptr);
  }
  CHECK(health_table(report).starts_with("well: membership"));
}

TEST_CASE("a node that was deleted is told to reset, never to remove the folder that the reset needs", "[agent][local]") {
  AgentState state = well();
  state.removed = true;
  state.sync_message = "this node was deleted";
  const proto::HealthReport report = agent_health(state, {}, k_now);
  const proto::HealthCheck* membership = find(report, "membership");
  REQUIRE(membership != nullptr);
  const auto errors = standing_errors(state);
  REQUIRE(errors.size() == 1);
  const std::string refused = join_cure(make_error(Errc::gone, "deleted"), EnrollmentStep::use_identity, "n1", "/etc/slipway/join.token");
  for (const std::string& cure : {membership->cure, errors[0].cure, refused}) {
    INFO(cure);
    const std::size_t reset = cure.find("slipway-agent reset"), join = cure.find("slipway-agent join");
    CHECK(reset < join);
    CHECK(join != std::string::npos);
    CHECK(cure.find("director") == std::string::npos);
  }
}

TEST_CASE("what may stay as it is on a node is no warning of its health", "[agent][local]") {
  HealthEvidence evidence{{{"kubelet", Status{}}}, {true, {}}};
  for (const char* check : {"ports", "foreign-software", "host-name", "root", "firewall", "network-manager", "proxy", "sysctls"})
    evidence.host.findings.push_back({check, "warning", "so it is", "leave it", false});
  const proto::HealthReport advised = agent_health(well(), evidence, k_now);
  for (const proto::HealthCheck& check : advised.checks) {
    INFO(check.name << ": " << check.message);
    CHECK_FALSE(check.warning);
  }
  evidence.host.findings = {{"sysctls", "error", "cannot be set", "mount it", false}, {"node-address", "warning", "MTU of 1000", "raise it", false}};
  const proto::HealthReport report = agent_health(well(), evidence, k_now);
  CHECK_FALSE(report.ok);
  REQUIRE(find(report, "node-address") != nullptr);
  CHECK(find(report, "node-address")->warning);
}

TEST_CASE("each thing that is not well is an error or a warning with its cure", "[agent][local]") {
  struct Case {
    std::string name;
    bool error;
    std::function<void(AgentState&, HealthEvidence&)> spoil;
  };
  const std::vector<Case> cases = {
      {"membership", true, [](AgentState& state, HealthEvidence&) { state.removed = true; }},
      {"coordinator", true, [](AgentState& state, HealthEvidence&) { state.sync_message = "refused"; }},
      {"coordinator", false, [](AgentState& state, HealthEvidence&) { state.last_contact.reset(); }},
      {"certificates", true,
       [](AgentState& state, HealthEvidence&) { state.lives[0].not_after = k_now - Seconds(5); }},
      {"certificates", true, [](AgentState& state, HealthEvidence&) { state.renew_message = "refused"; }},
      {"certificates", false,
       [](AgentState& state, HealthEvidence&) { state.lives[0].not_before = k_now - Seconds(82800 * 20); }},
      {"address", true, [](AgentState& state, HealthEvidence&) { state.address_message = "taken"; }},
      {"address", false,
       [](AgentState& state, HealthEvidence&) { state.moves_to = IpAddress::parse("10.77.0.9").value(); }},
      {"component kubelet", true,
       [](AgentState& state, HealthEvidence&) {
         state.units["kubelet.service"].active = UnitActivity::failed;
       }},
      {"component kubelet", true,
       [](AgentState&, HealthEvidence& evidence) {
         evidence.probes["kubelet"] = make_error(Errc::timeout, "no answer");
       }},
      {"component kubelet", false,
       [](AgentState& state, HealthEvidence&) { state.units["kubelet.service"].restarts = 3; }},
      {"network", true, [](AgentState& state, HealthEvidence&) { state.last_pass->network_ready = false; }},
      {"reconciliation", true,
       [](AgentState& state, HealthEvidence&) {
         state.last_pass->problems = {"kubelet: installing: no space"};
       }},
      {"as-written", false,
       [](AgentState& state, HealthEvidence&) {
         state.drift = Drift{k_now, {}, {"/etc/x"}};
       }},
      {"disk", true,
       [](AgentState&, HealthEvidence& evidence) {
         evidence.host.findings = {{"disk", "error", "full", "remove something", false}};
       }},
      {"clock", false,
       [](AgentState&, HealthEvidence& evidence) {
         evidence.host.findings = {{"clock", "warning", "off", "set it", false}};
       }},
      {"reach", true,
       [](AgentState&, HealthEvidence& evidence) {
         evidence.host.findings = {{"reach", "error", "no way", "open it", false}};
       }},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    AgentState state = well();
    HealthEvidence evidence;
    one.spoil(state, evidence);
    const proto::HealthReport report = agent_health(state, evidence, k_now);
    CHECK(report.ok != one.error);
    const proto::HealthCheck* check = find(report, one.name);
    REQUIRE(check != nullptr);
    CHECK(check->ok != one.error);
    CHECK((one.error || check->warning));
    CHECK_FALSE(check->message.empty());
    CHECK_FALSE(check->cure.empty());
    CHECK(health_table(report).starts_with(one.error ? "error  " : "warning  "));
  }
}
