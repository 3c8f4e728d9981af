#include "coordinator/config.hpp"

#include <sched.h>

#include <algorithm>

#include "common/config/yaml_to_json.hpp"
#include "common/core/ip.hpp"
#include "common/core/problems.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/routes/program_hook.hpp"
#include "proto/codec.hpp"
#include "proto/config_reference.hpp"

namespace slipway {

namespace {

constexpr Seconds k_longest_rest{30 * 86400};
constexpr std::size_t k_max_file = 1024 * 1024;

proto::FieldNote note(std::string_view field) { return proto::note_of(proto::coordinator_notes(), field); }

void check_bounds(Problems& problems, std::string_view field, const std::string& pointer, std::uint64_t value, const char* why = "") {
  if (auto problem = proto::bounds_problem(note(field), value)) problems.add(pointer, *problem + why);
}

void check_limits(Problems& problems, const proto::ConnectionLimits& limits) {
  // A connection is a descriptor and some tens of KiB: more than the table has is a slip of the finger.
  check_bounds(problems, "limits.connections", "/limits/connections", limits.connections);
  if (limits.known_connections.value_or(0) >= limits.connections) {
    problems.add("/limits/knownConnections", "must be less than connections: a host that is new, or every host after a restart, is not known yet");
  }
  check_bounds(problems, "limits.anonymousConnections", "/limits/anonymousConnections", limits.anonymous_connections, ": a host that joins has no certificate yet");
  check_bounds(problems, "limits.connectionsPerAddress", "/limits/connectionsPerAddress", limits.connections_per_address);
}

void check_listen(Problems& problems, const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon == std::string::npos ? listen.size() : colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = colon == std::string::npos ? std::nullopt : parse_u64(listen.substr(colon + 1), 65535);
  if (!port || !IpAddress::parse(host)) problems.add("/listen", in_quotes(listen) + " is not ADDRESS:PORT, as in 0.0.0.0:7443 or [::]:7443");
}

Status check_coordinator_config(const proto::CoordinatorConfig& config) {
  Problems problems;
  check_listen(problems, config.listen);
  check_bounds(problems, "ioThreads", "/ioThreads", config.io_threads);
  if (auto problem = proto::choice_problem(note("logLevel"), config.log_level)) problems.add("/logLevel", *problem);
  if (!config.data_dir.starts_with('/')) problems.add("/dataDir", in_quotes(config.data_dir) + " is no absolute path: it must begin with /");
  const auto rest = parse_duration(config.quarantine_min_age);
  if (!rest || *rest > k_longest_rest) {
    problems.add("/quarantineMinAge", in_quotes(config.quarantine_min_age) + " must be a duration such as 10m, at most 30d; 0s lets a block go as soon as no agent routes to it");
  }
  if (!config.routes_hook.command.empty()) {
    problems.add(hook_problems(config.routes_hook));
  }
  check_limits(problems, config.limits);
  if (problems.none()) return {};
  return problems.error(Errc::invalid);
}

}  // namespace

Result<proto::CoordinatorConfig> load_coordinator_config(const std::string& path) {
  const auto text = read_file(path, k_max_file);
  if (!text && text.error().code == Errc::not_found) return proto::CoordinatorConfig{};
  if (!text) return error_of(text, "read configuration");
  auto yaml = read_yaml(*text, path);
  if (!yaml) return yaml.error();
  // An empty document is an empty configuration.
  if (yaml->json == "null") yaml->json = "{}";
  auto config = proto::decode_strict<proto::CoordinatorConfig>(yaml->json);
  if (!config) return yaml->places.located(config.error());
  if (const Status checked = check_coordinator_config(*config); !checked) return yaml->places.located(checked.error());
  return config;
}

http::ServerLimits server_limits(const proto::ConnectionLimits& limits) {
  http::ServerLimits out;
  out.connections = limits.connections;
  out.known_connections = limits.known_connections;
  out.anonymous_connections = limits.anonymous_connections;
  out.connections_per_address = limits.connections_per_address;
  return out;
}

// On a single core a thread of its own for I/O only means switching: it is done by the state thread then.
std::uint64_t io_thread_count(std::uint64_t wanted) {
  if (wanted != 0) return wanted;
  // Those that we may run on; glibc 2.36 counts all there are in hardware_concurrency().
  cpu_set_t usable;
  const bool known = ::sched_getaffinity(0, sizeof usable, &usable) == 0;
  const int cores = known ? CPU_COUNT(&usable) : 2;
  return cores <= 1 ? 0 : static_cast<std::uint64_t>(cores);
}

std::size_t signing_channels(const proto::CoordinatorConfig& config) { return std::max<std::size_t>(1, io_thread_count(config.io_threads)); }

Seconds quarantine_min_age(const proto::CoordinatorConfig& config) { return parse_duration(config.quarantine_min_age).value_or(Seconds(600)); }

}  // namespace slipway
