#include "coordinator/config.hpp"

#include "common/config/config_file.hpp"
#include "proto/codec.hpp"

namespace slipway {

Result<proto::CoordinatorConfig> load_coordinator_config(const std::string& path) {
  const auto json = load_config(path, "");
  if (!json && json.error().code == Errc::not_found) return proto::CoordinatorConfig{};
  if (!json) return json.error();
  auto config = proto::decode_strict<proto::CoordinatorConfig>(*json);
  if (!config) return error_of(config, path);
  if (config->io_threads > 256) return make_error(Errc::invalid, path + ": /ioThreads must be at most 256");
  if (config->data_dir.empty() || config->data_dir.front() != '/')
    return make_error(Errc::invalid, path + ": /dataDir must be an absolute path");
  return config;
}

}  // namespace slipway
