#pragma once
// Settings of nodes at the levels that they can come from: cluster, node groups, node. Part of types.hpp. How
// levels are merged: settings.hpp.
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace slipway::proto {

// A JSON object kept as text: settings that belong to Kubernetes or Docker and pass through us unread.
struct RawJson {
  std::string text = "{}";
  bool operator==(const RawJson&) const = default;
};
// A number, or a part such as "10%"; a number may be written as one.
struct Amount {
  std::string text;
  bool operator==(const Amount&) const = default;
};
struct ComponentSettings {
  RawJson config;                       // merged over what Slipway renders (RFC 7396)
  std::vector<std::string> extra_args;  // --name=value
  bool operator==(const ComponentSettings&) const = default;
};
// What one level says. All of it may be absent.
struct NodeSettings {
  ComponentSettings kubelet;
  ComponentSettings kube_proxy;
  std::map<std::string, std::optional<std::string>>
      labels;                       // absent value (null): not this label, whatever an outer level says
  std::vector<std::string> taints;  // "key=value:Effect"; "key:Effect-": not this one
  bool operator==(const NodeSettings&) const = default;
};
// All that is given must fit; nothing given: every node.
struct NodeGroupMatch {
  std::string role;
  std::string pool;          // of pod addresses, that the node's block lies in
  std::string name_pattern;  // as in gpu-*
  bool operator==(const NodeGroupMatch&) const = default;
};
struct NodeGroup {
  std::string name;
  NodeGroupMatch match;
  NodeSettings settings;
  bool operator==(const NodeGroup&) const = default;
};
struct RolloutSettings {
  Amount max_unavailable{"10%"};  // nodes that may be away at once for the sake of new settings; at least one
  bool paused = false;            // nobody begins with new settings; who has begun finishes
  bool operator==(const RolloutSettings&) const = default;
};
// What is for one node beside the cluster's own settings.
struct NodeOverrides {
  std::vector<std::string> groups;  // that it is in, in the order of the cluster's list
  NodeSettings settings;            // the node's own
  bool operator==(const NodeOverrides&) const = default;
};
// How far a node is with its settings, as its agent says.
struct SettingsStatus {
  std::string state;  // applied, waiting, restarting, failed
  std::string message;
  RawJson running;  // a NodeSettings: what its components run with now; {}: nothing was set
  RawJson host;     // a NodeSettings: of that, what the host's own files say
  bool operator==(const SettingsStatus&) const = default;
};
// One setting, with where it comes from.
struct SettingValue {
  std::string path;   // "kubelet.config/evictionHard/memory.available"
  std::string value;  // JSON
  std::string level;  // "cluster", "group gpu", "node", "host"
};
struct SettingDifference {
  std::string path;
  std::string running;  // JSON; empty: not set
  std::string wanted;
  std::string level;  // of what is wanted; empty: not set
};
struct NodeConfigView {
  std::string name;
  std::vector<std::string> groups;
  NodeSettings settings;   // the node's own
  NodeSettings effective;  // all levels merged
  std::vector<SettingValue> values;
  std::string state;  // as in SettingsStatus; empty: the node has not told
  std::string message;
  std::vector<SettingDifference> differences;  // between what runs and what is wanted
};
// How far the fleet is with its settings.
struct RolloutView {
  std::uint64_t nodes = 0;
  std::uint64_t applied = 0;
  std::uint64_t waiting = 0;
  std::uint64_t restarting = 0;
  std::uint64_t max_unavailable = 0;
  std::vector<std::string> failed;  // nodes that did not come up and went back to what they had
  bool paused = false;              // nobody begins until an operator lets the rollout go on
};
// An agent's wish to restart components of its node for new settings, and that it is done with it.
struct RestartRequest {
  bool done = false;
  std::vector<std::string> components;
};
struct RestartReply {
  bool granted = false;
  std::string reason;  // why not
  std::uint64_t retry_after_seconds = 10;
};

}  // namespace slipway::proto
