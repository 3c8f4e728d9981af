#include "coordinator/domain/settings_check.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "common/core/text.hpp"
#include "coordinator/domain/join_token.hpp"
#include "common/kube/component_settings.hpp"
#include "common/kube/versions.hpp"
#include "proto/settings.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_most_groups = 64;
constexpr std::size_t k_most_marks = 64;

std::string shown(std::string_view text) {
  std::string line(text.substr(0, 80));
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return "\"" + line + "\"";
}

// Labels that each kubelet says of its own host: it would set them back at every start.
bool is_kubelets(std::string_view key) {
  return key == "kubernetes.io/hostname" || key == "kubernetes.io/os" || key == "kubernetes.io/arch" ||
         key == "beta.kubernetes.io/os" || key == "beta.kubernetes.io/arch";
}

void check_labels(Problems& problems, const std::string& field,
                  const std::map<std::string, std::optional<std::string>>& labels) {
  if (labels.size() > k_most_marks) problems.add(field, "has more than 64 labels");
  for (const auto& [key, value] : labels) {
    const std::string here = pointer_below(field, key);
    if (!proto::is_label_key(key))
      problems.add(here, shown(key) + " is no label: [DOMAIN/]NAME of letters, digits, '-', '_' and '.'");
    else if (is_kubelets(key))
      problems.add(here, key + " is the kubelet's own: it says what the host is");
    else if (value && !proto::is_label_value(*value))
      problems.add(here,
                   shown(*value) + " is no value of a label: up to 63 letters, digits, '-', '_' and '.'");
  }
}

void check_taints(Problems& problems, const std::string& field, const std::vector<std::string>& taints) {
  if (taints.size() > k_most_marks) problems.add(field, "has more than 64 taints");
  std::set<std::string> ids;
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const std::string here = field + "/" + std::to_string(i);
    const auto taint = proto::parse_taint(taints[i]);
    if (!taint)
      problems.add(here, taint.error().message);
    else if (taint->key.starts_with("node.kubernetes.io/"))
      problems.add(here, taint->key + " is Kubernetes' own: it says how the node is");
    else if (!ids.insert(taint->id()).second)
      problems.add(here, taint->id() + " stands twice");
  }
}

void add_all(Problems& problems, const std::string& field, const std::vector<kube::SettingProblem>& found) {
  for (const kube::SettingProblem& problem : found) problems.add(field + "/" + problem.where, problem.what);
}

void check_component_settings(Problems& problems, const std::string& field,
                              const proto::ComponentSettings& kubelet,
                              const proto::ComponentSettings& kube_proxy, std::optional<int> minor) {
  if (!minor) return;
  add_all(problems, field + "/kubelet", kube::kubelet_problems(kubelet, *minor));
  add_all(problems, field + "/kubeProxy", kube::kube_proxy_problems(kube_proxy, *minor));
}

void check_groups(Problems& problems, const proto::ClusterSpec& spec, std::optional<int> minor) {
  if (spec.node_groups.size() > k_most_groups) problems.add("/nodeGroups", "has more than 64 groups");
  std::set<std::string> names;
  for (std::size_t i = 0; i < spec.node_groups.size(); ++i) {
    const proto::NodeGroup& group = spec.node_groups[i];
    const std::string field = "/nodeGroups/" + std::to_string(i);
    if (!is_dns_label(group.name))
      problems.add(field + "/name",
                   shown(group.name) + " is no name of a group: lower-case letters, digits and hyphens");
    if (!names.insert(group.name).second)
      problems.add(field + "/name", "group " + group.name.substr(0, 64) + " stands twice");
    const std::string& role = group.match.role;
    if (!role.empty() && role != "node" && role != "master")
      problems.add(field + "/match/role", shown(role) + " is neither node nor master");
    if (group.match.name_pattern.size() > 253)
      problems.add(field + "/match/namePattern", "is longer than any name");
    check_node_settings(problems, field, group.settings, minor);
  }
}

}  // namespace

void check_node_settings(Problems& problems, const std::string& field, const proto::NodeSettings& settings,
                         std::optional<int> minor) {
  check_component_settings(problems, field, settings.kubelet, settings.kube_proxy, minor);
  check_labels(problems, field + "/labels", settings.labels);
  check_taints(problems, field + "/taints", settings.taints);
}

void check_cluster_settings(Problems& problems, const proto::ClusterSpec& spec) {
  const auto minor = kube::kube_minor(spec.versions.kubernetes);
  check_component_settings(problems, "", {spec.kubelet.config, spec.kubelet.extra_args}, spec.kube_proxy,
                           minor);
  check_labels(problems, "/nodeLabels", spec.node_labels);
  check_taints(problems, "/nodeTaints", spec.node_taints);
  check_groups(problems, spec, minor);
  if (!max_unavailable(spec.rollout.max_unavailable, 1)) {
    problems.add("/rollout/maxUnavailable",
                 shown(spec.rollout.max_unavailable.text) +
                     " is neither a number of nodes, at least 1, nor a part of them such as 10%");
  }
}

std::optional<std::uint64_t> max_unavailable(const proto::Amount& amount, std::uint64_t nodes) {
  std::string_view text = amount.text;
  const bool part = text.ends_with('%');
  if (part) text.remove_suffix(1);
  const auto number = parse_u64(text, part ? 100 : 1'000'000);
  if (!number || *number == 0) return std::nullopt;
  return std::max<std::uint64_t>(1, part ? nodes * *number / 100 : *number);
}

}  // namespace slipway
