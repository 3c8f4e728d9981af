#include "coordinator/config.hpp"

#include <sched.h>

#include <algorithm>

#include "common/config/config_file.hpp"
#include "coordinator/routes/program_hook.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr Seconds k_longest_rest{30 * 86400};
// A connection is a descriptor and some tens of KiB: more than this is a slip of the finger.
constexpr std::uint64_t k_most_connections = 1'000'000;

Status check_limits(const proto::ConnectionLimits& limits, const std::string& at) {
  const auto bad = [&at](const char* what) { return make_error(Errc::invalid, at + what); };
  if (limits.connections == 0 || limits.connections > k_most_connections) return bad("connections must be 1 to 1000000");
  if (limits.known_connections.value_or(0) >= limits.connections) {
    return bad("knownConnections must be less than connections: a host that is new, or every host after a restart, is not known yet");
  }
  if (limits.anonymous_connections == 0) return bad("anonymousConnections must be at least 1: a host that joins has no certificate yet");
  if (limits.connections_per_address == 0) return bad("connectionsPerAddress must be at least 1");
  return {};
}

}  // namespace

Result<proto::CoordinatorConfig> load_coordinator_config(const std::string& path) {
  const auto json = load_config(path, "");
  if (!json && json.error().code == Errc::not_found) return proto::CoordinatorConfig{};
  if (!json) return json.error();
  auto config = proto::decode_strict<proto::CoordinatorConfig>(*json);
  if (!config) return error_of(config, path);
  if (config->io_threads > 256) return make_error(Errc::invalid, path + ": /ioThreads must be at most 256");
  if (config->data_dir.empty() || config->data_dir.front() != '/')
    return make_error(Errc::invalid, path + ": /dataDir must be an absolute path");
  const auto rest = parse_duration(config->quarantine_min_age);
  if (!rest || *rest > k_longest_rest) {
    return make_error(Errc::invalid, path + ": /quarantineMinAge must be a duration such as 10m, at most 30d; 0s lets a block go as soon as no agent routes to it");
  }
  if (!config->routes_hook.command.empty()) {
    if (const auto hook = hook_settings(config->routes_hook); !hook) return error_of(hook, path);
  }
  const Status limits = check_limits(config->limits, path + ": /limits/");
  if (!limits) return limits.error();
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
