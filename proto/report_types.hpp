#pragma once
// What agents report: plain structs of the wire (proto/fields.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/settings_types.hpp"

namespace slipway::proto {

struct NodeFacts {
  std::string machine_id;
  std::string os;
  std::string kernel;
  std::string architecture;
  std::uint64_t cpus = 0;
  std::uint64_t memory_bytes = 0;
  std::string agent_version;
  std::vector<std::string> host_routes = {};  // "172.17.0.0/16 dev docker0": what the host has beside the cluster's, without default routes
  std::string product_uuid = {};              // of the machine's firmware, lower case; empty: not known, or a container
  std::uint64_t pod_mtu = 0;  // what the interface with the node's address and the backend leave for pods; 0: not known, or not ours to set
  bool operator==(const NodeFacts&) const = default;
};
struct Condition {
  std::string type;    // Installed, NetworkReady, ComponentsRunning, CertificatesValid, AsWritten
  bool ok = false;
  std::string reason;  // one word
  std::string message;
  bool operator==(const Condition&) const = default;
};
// How a component's process ended. Since 0.2.
struct ComponentEnd {
  std::string at;      // empty: not known
  std::string reason;  // exited, signal, core-dump, oom-kill, watchdog, timeout, start-limit
  std::optional<std::uint64_t> exit_code = {};
  std::string signal = {};                // SIGKILL
  std::vector<std::string> lines = {};    // its last words in the log, at most 20, oldest first
  bool operator==(const ComponentEnd&) const = default;
};
struct ComponentStatus {
  std::string name;
  std::string version;
  std::string state;  // installing, starting, running, stopped, failed, crash-loop, waiting
  std::uint64_t restarts = 0;
  std::uint64_t pid = 0;
  std::string message;
  // Since 0.2; absent: not known.
  std::string since = {};            // when it came into this state
  std::uint64_t starts = 0;          // of its process, since its unit was started: the first one and the restarts
  std::uint64_t pause_seconds = 0;   // between an end and the next start, while it crash-loops
  std::vector<ComponentEnd> ends = {};  // newest first; one at most, none while it never ended. A list, because most nodes then pay for a pointer only
  bool operator==(const ComponentStatus&) const = default;
};
struct CertificateStatus {
  std::string usage;
  std::string serial;
  std::string not_after;
  bool operator==(const CertificateStatus&) const = default;
};
struct NodeStatusReport {
  std::string phase;  // Joining, Installing, Configuring, Starting, Running, Degraded
  std::uint64_t applied_revision = 0;
  std::vector<Condition> conditions;
  std::vector<ComponentStatus> components;
  std::vector<CertificateStatus> certificates;
  NodeFacts facts;
  std::string last_error;
  std::map<std::string, std::string> ca_bundles;  // CA kind -> SHA-256 of the bundle in use; since 0.2, absent: does not tell
  std::optional<SettingsStatus> settings = {};    // since 0.3, absent: does not tell
  bool operator==(const NodeStatusReport&) const = default;
};

}  // namespace slipway::proto
