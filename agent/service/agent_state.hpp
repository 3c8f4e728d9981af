#pragma once
// What the agent's tasks know in common. One thread, the state thread; after a co_await it may have changed.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/ca_watch.hpp"
#include "agent/domain/renewal.hpp"
#include "agent/domain/trouble_log.hpp"
#include "agent/domain/unit_status.hpp"
#include "agent/ports/node_store.hpp"
#include "agent/render/component.hpp"
#include "agent/service/trigger.hpp"
#include "common/core/ip.hpp"
#include "common/core/time.hpp"
#include "proto/desired_types.hpp"
#include "proto/report_types.hpp"

namespace slipway {

// What a reconcile pass found and did about one component.
struct ComponentOutcome {
  std::string name;
  std::string version;
  std::string state;    // waiting, installing, failed, or empty: see its unit
  std::string message;  // with the cure where there is one
  std::string unit;     // "kubelet.service"; empty: nothing runs
  std::optional<HealthProbe> probe = {};  // how to ask whether it is well
};

struct PassReport {
  std::uint64_t revision = 0;        // of the desired state it worked on
  std::vector<std::string> changes;  // what was done, for the log; empty when all was as wanted
  std::vector<ComponentOutcome> components;
  std::vector<std::string> drifted;   // what had been as wanted, and was not any more: files, units, routes
  std::vector<std::string> problems;  // with component and stage
  bool installed = false;             // every artifact is there
  bool configured = false;            // every file is as wanted
  bool network_ready = false;
  std::string network_message;
  bool peers_applied = false;  // routes are those of `revision`: the coordinator may reuse what was released

  bool clean() const { return problems.empty(); }
};

// Up to where the kernel has the routes.
struct RoutesPlace {
  std::string epoch;
  std::uint64_t revision = 0;
};

struct IllUnit {
  std::string invocation;  // of the process that is meant
  std::string why;
};

// What is remembered of a unit beside its status.
struct UnitNote {
  Seconds pause{0};                     // between an end and the next start; 0: as its file says
  std::optional<WallTime> loop_since;   // in a crash loop since
  std::vector<std::string> last_lines;  // of its log, when it ended last
};

// What somebody else changed, and what was put back.
struct Drift {
  WallTime at{};
  SteadyTime seen{};
  std::vector<std::string> what;
};

// The coordinator's mark for this node: its certificates that begin earlier are to be renewed. Zero: none are.
WallTime rotation_mark(const std::optional<proto::DesiredState>& desired, const std::optional<NodeIdentity>& identity);

struct AgentState {
  std::optional<NodeIdentity> identity;
  std::optional<proto::DesiredState> desired;
  double renew_at = 0.667;
  bool removed = false;       // the coordinator said that this node was deleted
  std::string join_message;   // what joining waits for; empty when joined
  std::string join_cure;      // of join_message, which ends with it; may be empty
  std::string join_state;     // pending, refused or empty: see proto::AgentLocalStatus
  std::string sync_message;   // why the coordinator could not be asked last; empty: it could
  std::string renew_message;  // why a renewal that is due did not work
  std::optional<IpAddress> moves_to;  // this host's address for good, which is not the registered one: to be asked for
  std::string address_message;        // why this node cannot follow its address
  std::optional<WallTime> last_contact;
  std::string probe;  // of the network, that the coordinator told of last; empty: none yet
  std::string coordinator;                  // https://ADDRESS:7443 that answered last; empty: none yet
  TroubleLog troubles;                      // what stands in the way, and since when
  std::optional<PassReport> last_pass;
  RoutesPlace routes;                       // what the coordinator may reuse rests on this
  bool told_routes = false;                 // the coordinator has heard of them with the question for news
  std::string busy;                         // what the pass under way does now: "installing docker 20.10.24"
  std::map<std::string, UnitStatus> units;  // as seen last
  std::map<std::string, std::string> crash_loops;  // unit -> reason
  std::map<std::string, UnitNote> notes;           // by unit
  std::map<std::string, IllUnit> ill;              // unit -> to be started anew
  std::vector<proto::CertificateStatus> certificates;
  std::vector<CertificateLife> lives;       // of the same
  bool certificates_valid = true;
  std::optional<Drift> drift;  // of the last minutes
  bool was_running = false;
  proto::NodeFacts facts;
  std::vector<std::string> silent_sysctls;  // keys below /proc/sys that this node has set and nobody tells of
  std::optional<proto::SettingsStatus> settings;  // how far the components are with theirs
  BundleDigests ca_stored;                   // on the disk; "fabric": trusted by our connections as well
  std::map<std::string, BundleUse> ca_uses;  // where components read them, by kind

  Trigger routes_news;       // `routes` has moved on
  Trigger probe_news;        // the network is to be probed
  Trigger ca_news;           // the coordinator may have announced other CAs
  Trigger renew;             // certificates may come from a CA that is being replaced, or are to be rotated
  Trigger reconcile;         // something to bring about
  Trigger network_news;      // the pod network alone, at once: a pass may be long
  Trigger report;            // something to tell
  Trigger address_news;      // links or addresses of the host changed
  Trigger identity_changed;  // certificates were renewed or the node joined
};

}  // namespace slipway
