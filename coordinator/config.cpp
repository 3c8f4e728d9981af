#include "coordinator/config.hpp"

#include "common/config/config_file.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr Seconds k_longest_rest{30 * 86400};

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
  return config;
}

Seconds quarantine_min_age(const proto::CoordinatorConfig& config) { return parse_duration(config.quarantine_min_age).value_or(Seconds(600)); }

}  // namespace slipway
