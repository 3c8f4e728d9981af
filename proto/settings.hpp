#pragma once
// How the settings of several levels become those of one node. Pure; coordinator and agents do the same with
// it.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "proto/cluster_types.hpp"

namespace slipway::proto {

struct SettingsLevel {
  std::string name;  // "cluster", "group gpu", "node", "host": for people
  NodeSettings settings;
};

// The outermost first: cluster, the groups in the order of the cluster's list, node. A group that the cluster
// does not have is passed over.
std::vector<SettingsLevel> levels_of(const ClusterSpec& cluster, const NodeOverrides& own);

// Maps are merged as RFC 7396 has it; null is kept, as it may take away what Slipway itself renders. Of
// arguments of one name, and of taints of one key and effect, only those of the last level that has any stay.
// Labels and taints: only what the node is to have.
NodeSettings merged(const std::vector<SettingsLevel>& levels);

// The same of labels and taints alone: of thousands of nodes at once.
NodeSettings merged_marks(const std::vector<SettingsLevel>& levels);

// Every value with the level that it comes from, by path.
std::vector<SettingValue> values_of(const std::vector<SettingsLevel>& levels);
// What would change for a component that runs with `running`; labels and taints are not looked at, agents do
// not have them.
std::vector<SettingDifference> differences(const NodeSettings& running,
                                           const std::vector<SettingsLevel>& wanted);

// The cluster as a node is to see it that has these settings.
ClusterSpec with_settings(ClusterSpec cluster, const NodeSettings& settings);

// Names at the top of a map.
std::vector<std::string> keys_of(const RawJson& map);
// "--v=4" -> "--v"
std::string flag_name(std::string_view argument);

struct Taint {
  std::string key, value, effect;  // effect empty: every one, only where it is taken away
  bool taken_away = false;
  std::string id() const { return key + ":" + effect; }
  std::string text() const { return key + (value.empty() ? "" : "=" + value) + ":" + effect; }
  bool operator==(const Taint&) const = default;
};
// "key=value:Effect", "key:Effect", "key:Effect-", "key-". Errc::invalid: not of Kubernetes' grammar.
Result<Taint> parse_taint(std::string_view text);
// Kubernetes' grammar of label keys and values.
bool is_label_key(std::string_view key);
bool is_label_value(std::string_view value);

}  // namespace slipway::proto
