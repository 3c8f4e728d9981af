#include "coordinator/ctl/upgrade_plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/release.hpp"

namespace slipway::ctl {

namespace {

constexpr std::array k_kubernetes = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"};
constexpr std::size_t k_shown = 5;  // of nodes that a sentence is about

bool is_kubernetes(const std::string& component) {
  return std::find(k_kubernetes.begin(), k_kubernetes.end(), component) != k_kubernetes.end();
}

// What hosts install, with the versions that these settings name.
std::map<std::string, std::string> artifacts_of(const proto::ClusterSpec& spec) {
  std::map<std::string, std::string> versions{{"etcd", spec.versions.etcd}, {"cni-plugins", spec.versions.cni_plugins}};
  for (const char* component : k_kubernetes) versions[component] = spec.versions.kubernetes;
  for (const kube::RuntimeArtifact& artifact : kube::runtime_artifacts(spec)) versions[artifact.component] = artifact.version;
  return versions;
}

// Of what agents report. The containerd beside docker is docker's.
std::map<std::string, std::string> components_of(const proto::ClusterSpec& spec) {
  std::map<std::string, std::string> versions = artifacts_of(spec);
  versions["cni"] = spec.versions.cni_plugins;
  if (spec.runtime == "docker") versions["containerd"] = spec.versions.docker;
  return versions;
}

std::string version_of(const proto::NodeView& node, const std::string& component) {
  for (const proto::ComponentStatus& one : node.components) {
    if (one.name == component) return one.version;
  }
  return {};
}

proto::UpgradeNode planned_node(const proto::NodeView& node, const std::map<std::string, std::string>& wanted, WallTime now) {
  proto::UpgradeNode planned{node.name, node.role, 0, {}, ""};
  for (const proto::ComponentStatus& one : node.components) {
    const auto target = wanted.find(one.name);
    if (one.version.empty() || target == wanted.end()) continue;
    planned.components.push_back({one.name, one.version, target->second});
    if (one.version != target->second) planned.turn = 1;
  }
  if (node.last_contact.empty()) planned.note = "was not heard since the coordinator's start: what it runs is not known";
  else if (!is_heard(node, now)) planned.note = "was heard " + when(node.last_contact, now) + " the last time: it follows when it is back";
  else if (planned.components.empty()) planned.note = "has told nothing of its components yet";
  return planned;
}

// Masters one by one, then all others: as the coordinator gives leave.
void give_turns(std::vector<proto::UpgradeNode>& nodes) {
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return (a.role == "master") > (b.role == "master"); });
  std::uint64_t turn = 1;
  for (proto::UpgradeNode& node : nodes) {
    if (node.turn == 0) continue;
    node.turn = turn;
    if (node.role == "master") ++turn;
  }
}

std::string some(const std::vector<std::string>& names) { return first_names(names, k_shown); }

std::string minor_text(int minor) { return "1." + std::to_string(minor); }

// Live nodes that run this minor of Kubernetes, each with one of its components. What is switched off is nobody's skew.
using Minors = std::map<int, std::vector<std::string>>;

Minors running_minors(const std::vector<proto::UpgradeNode>& nodes) {
  Minors minors;
  for (const proto::UpgradeNode& node : nodes) {
    if (!node.note.empty()) continue;
    std::map<int, std::string> seen;
    for (const proto::UpgradeComponent& one : node.components) {
      const auto minor = is_kubernetes(one.name) ? kube::kube_minor(one.running) : std::nullopt;
      if (minor) seen.try_emplace(*minor, node.name + " (" + one.name + " " + one.running + ")");
    }
    for (const auto& [minor, text] : seen) minors[minor].push_back(text);
  }
  return minors;
}

// kubernetes.io/releases/version-skew-policy: kube-apiserver goes no more than one minor at a time and never back, and no kubelet may
// be newer. What runs counts and not what was wanted: the way back from an upgrade that nobody has made yet is free.
void check_step(proto::UpgradePlanReport& plan) {
  const auto to = kube::kube_minor(plan.target);
  if (!to) return;
  Minors minors = running_minors(plan.nodes);
  const int set_minor = kube::kube_minor(plan.version).value_or(*to);
  if (minors.empty()) minors[set_minor] = {"the settings (" + plan.version + ")"};
  for (const auto& [minor, who] : minors) {
    if (*to > minor + 1) {
      plan.refusals.push_back({"Kubernetes goes one minor at a time, and " + plan.target + " skips " + minor_text(minor + 1) +
                                   (*to > minor + 2 ? " to " + minor_text(*to - 1) : "") + " for " + some(who),
                               set_minor == minor + 1 ? "slipwayctl upgrade status says why " + minor_text(minor + 1) + ", which is wanted, does not run there yet"
                                                      : "slipwayctl upgrade apply a version of " + minor_text(minor + 1) + " first"});
    }
    if (*to < minor) {
      plan.refusals.push_back({"Kubernetes does not go back to an older minor, and no kubelet may be newer than kube-apiserver: " + some(who) +
                                   (who.size() == 1 ? " runs " : " run ") + "what is newer than " + plan.target,
                               "name a version of " + minor_text(minor) + " or newer; mend what does not come up there"});
    }
  }
}

std::string import_command(const std::string& component, const std::string& version) {
  if (is_kubernetes(component)) return "slipwayctl artifact fetch --kubernetes v" + version;
  if (component == "docker" || component == "cri-dockerd") return "slipwayctl artifact import --component " + component + " --version " + version + " FILE";
  return "slipwayctl artifact fetch --" + component + " v" + version;
}

bool has(const std::vector<proto::Artifact>& artifacts, const std::string& component, const std::string& version) {
  return std::any_of(artifacts.begin(), artifacts.end(), [&](const auto& one) { return one.component == component && one.version == version; });
}

void check_artifacts(const UpgradeFacts& facts, const proto::ClusterSpec& spec, proto::UpgradePlanReport& plan) {
  for (const auto& [component, version] : artifacts_of(spec)) {
    if (!version.empty() && !has(facts.artifacts, component, version)) plan.missing.push_back({component, version, import_command(component, version)});
  }
  if (!spec.artifacts.signers.empty())
    plan.notes.push_back("agents install only what a signed manifest names: slipwayctl artifact manifest get shows whether it has " + plan.target);
}

// Kubelets in the store that could be next.
std::vector<std::string> imported_next(const UpgradeFacts& facts) {
  const auto now = kube::parse_version(facts.cluster.spec.versions.kubernetes);
  std::map<kube::Version, std::string> found;
  for (const proto::Artifact& artifact : facts.artifacts) {
    const auto version = kube::parse_version(artifact.version);
    const bool next = now && version && *version > *now && version->major == now->major && version->minor <= now->minor + 1;
    if (artifact.component == "kubelet" && next) found[*version] = artifact.version;
  }
  std::vector<std::string> versions;
  for (const auto& [key, text] : found) versions.push_back(text);
  return versions;
}

void add_notes(const UpgradeFacts& facts, proto::UpgradePlanReport& plan, WallTime now) {
  if (plan.paused) plan.notes.push_back("the rollout is paused: nobody begins before slipwayctl upgrade resume");
  std::vector<std::string> silent, failed;
  for (const proto::NodeView& node : facts.nodes) {
    if (!is_heard(node, now)) silent.push_back(node.name);
    if (node.settings == "failed") failed.push_back(node.name);
  }
  if (!silent.empty()) plan.notes.push_back(some(silent) + " cannot be heard: counted as away, so fewer restart at once, and behind when back");
  if (!failed.empty())
    plan.notes.push_back(some(failed) + " did not come up with the settings before and tries anew with these; nobody else begins until then (slipwayctl upgrade status)");
}

struct NodeState {
  std::string state;
  std::string reason;
};

std::string not_begun(const proto::NodeView& node, const std::map<std::string, std::string>& wanted) {
  for (const proto::ComponentStatus& one : node.components) {
    const auto target = wanted.find(one.name);
    if (is_kubernetes(one.name) && !one.version.empty() && one.version != target->second) return one.name + " is still " + one.version;
  }
  return node.components.empty() ? "has told nothing of its components yet" : "";
}

NodeState state_of(const proto::NodeView& node, const std::map<std::string, std::string>& wanted, std::uint64_t revision, WallTime now) {
  if (node.last_contact.empty()) return {"silent", "not heard since the coordinator's start"};
  if (!is_heard(node, now)) return {"silent", "last heard " + when(node.last_contact, now)};
  const std::string& said = node.settings;
  if (said == "waiting" || said == "restarting" || said == "failed") return {said, node.settings_message};
  if (node.applied_revision < revision) return {"waiting", "has not seen the newest settings yet"};
  const std::string behind = not_begun(node, wanted);
  return behind.empty() ? NodeState{"done", ""} : NodeState{"waiting", behind};
}

void count(proto::UpgradeStatusReport& report, const std::string& state) {
  report.done += state == "done" ? 1 : 0;
  report.waiting += state == "waiting" ? 1 : 0;
  report.restarting += state == "restarting" ? 1 : 0;
  report.failed += state == "failed" ? 1 : 0;
  report.silent += state == "silent" ? 1 : 0;
}

std::uint64_t at_once(const proto::ClusterView& cluster) { return cluster.rollout ? std::max<std::uint64_t>(cluster.rollout->max_unavailable, 1) : 1; }

}  // namespace

Result<std::string> upgrade_target(const std::string& text) {
  const auto version = version_from_text(lower(text));
  if (!version || !kube::kube_minor(*version))
    return make_error(Errc::invalid, "\"" + printable(text.substr(0, 64)) + "\" is not a version of Kubernetes: write it as in v1.31.1");
  return *version;
}

proto::ClusterSpec with_kubernetes(proto::ClusterSpec spec, const std::string& target) {
  spec.versions.kubernetes = target;
  return spec;
}

proto::UpgradePlanReport plan_upgrade(const UpgradeFacts& facts, const std::string& target, WallTime now) {
  const proto::ClusterSpec spec = with_kubernetes(facts.cluster.spec, target);
  const auto wanted = components_of(spec);
  proto::UpgradePlanReport plan;
  plan.version = facts.cluster.spec.versions.kubernetes;
  plan.target = target;
  plan.paused = spec.rollout.paused;
  plan.max_unavailable = at_once(facts.cluster);
  for (const proto::NodeView& node : facts.nodes) plan.nodes.push_back(planned_node(node, wanted, now));
  give_turns(plan.nodes);
  check_step(plan);
  check_artifacts(facts, spec, plan);
  add_notes(facts, plan, now);
  plan.imported = imported_next(facts);
  return plan;
}

void add_refused(proto::UpgradePlanReport& plan, const Error& error) {
  const auto lines = split(error.message, '\n');
  // With several lines the first is but their head.
  for (std::size_t i = lines.size() > 1 ? 1 : 0; i < lines.size(); ++i) {
    const std::string text(trim(lines[i]));
    if (!text.empty()) plan.refusals.push_back({text, "set it to what goes with " + plan.target + ", with the version: slipwayctl cluster apply -f FILE"});
  }
}

bool is_refused(const proto::UpgradePlanReport& plan) { return !plan.refusals.empty() || !plan.missing.empty(); }

std::size_t restarting_nodes(const proto::UpgradePlanReport& plan) {
  return static_cast<std::size_t>(std::count_if(plan.nodes.begin(), plan.nodes.end(), [](const auto& node) { return node.turn > 0; }));
}

proto::UpgradeStatusReport upgrade_status(const proto::ClusterView& cluster, const std::vector<proto::NodeView>& nodes, WallTime now) {
  const auto wanted = components_of(cluster.spec);
  proto::UpgradeStatusReport report;
  report.version = cluster.spec.versions.kubernetes;
  report.paused = cluster.spec.rollout.paused;
  report.max_unavailable = at_once(cluster);
  for (const proto::NodeView& node : nodes) {
    NodeState state = state_of(node, wanted, cluster.desired_revision, now);
    count(report, state.state);
    report.nodes.push_back({node.name, node.role, std::move(state.state), version_of(node, "kubelet"), version_of(node, "kube-apiserver"),
                            std::move(state.reason)});
  }
  return report;
}

Result<std::vector<std::string>> upgrade_left(const proto::ClusterView& cluster, const std::vector<proto::NodeView>& nodes, WallTime now) {
  const auto wanted = components_of(cluster.spec);
  const std::uint64_t revision = cluster.desired_revision;
  std::vector<std::string> left;
  for (const proto::NodeView& node : nodes) {
    const NodeState state = state_of(node, wanted, revision, now);
    // What it says before it has seen this revision is about the settings before.
    if (state.state == "failed" && node.applied_revision >= revision)
      return make_error(Errc::conflict, "node " + node.name + " has failed and the rollout has stopped: " + state.reason +
                                            " (slipwayctl node config " + node.name + " --diff)");
    if (state.state != "done" && state.state != "silent") left.push_back(node.name);
  }
  return left;
}

}  // namespace slipway::ctl
