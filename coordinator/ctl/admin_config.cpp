#include "coordinator/ctl/admin_config.hpp"

#include <set>

#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "proto/codec.hpp"

namespace slipway::ctl {

Result<proto::AdminCluster> choose_cluster(const proto::AdminConfig& config, const std::string& cluster) {
  std::set<std::string> names;
  std::string known;
  for (const proto::AdminCluster& candidate : config.clusters) {
    if (!names.insert(candidate.name).second) {
      return make_error(Errc::invalid,
                        "the cluster name \"" + candidate.name + "\" stands twice; names must differ");
    }
    known += (known.empty() ? "" : ", ") + candidate.name;
  }
  if (config.clusters.empty()) return make_error(Errc::invalid, "/clusters is empty");
  const std::string wanted = cluster.empty() ? current_cluster(config) : cluster;
  if (wanted.empty())
    return make_error(Errc::invalid,
                      "several clusters and no current one: choose with --cluster (" + known + ")");
  for (const proto::AdminCluster& candidate : config.clusters) {
    if (candidate.name == wanted) return candidate;
  }
  return make_error(Errc::invalid, "no cluster named \"" + wanted + "\"; there are: " + known);
}

std::string current_cluster(const proto::AdminConfig& config) {
  if (config.current.empty() && config.clusters.size() == 1) return config.clusters.front().name;
  return config.current;
}

Result<proto::AdminConfig> load_admin_config(const std::string& path) {
  constexpr std::size_t max_bytes = 1024 * 1024;
  const auto text = read_secret_file(path, max_bytes);
  if (!text)
    return error_of(text, "reading the credentials " + path + " (choose another file with --config)");
  const auto yaml = read_yaml(text->reveal(), path);
  if (!yaml) return yaml.error();
  auto config = proto::decode_strict<proto::AdminConfig>(yaml->json);
  if (!config) return yaml->places.located(config.error());
  return config;
}

Result<proto::AdminCluster> load_admin_cluster(const std::string& path, const std::string& cluster) {
  const auto config = load_admin_config(path);
  if (!config) return config.error();
  auto chosen = choose_cluster(*config, cluster);
  if (!chosen) return error_of(chosen, path);
  return chosen;
}

}  // namespace slipway::ctl
