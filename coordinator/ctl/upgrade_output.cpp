#include "coordinator/ctl/upgrade_output.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "common/core/text.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/upgrade_plan.hpp"

namespace slipway::ctl {

namespace {

std::string dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string nodes_text(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " node" : " nodes"); }

// "kubelet, kube-proxy 1.30.3 -> 1.31.1"
std::string changes_text(const proto::UpgradeNode& node, bool changed) {
  std::map<std::string, std::vector<std::string>> names;  // by what becomes of them
  for (const proto::UpgradeComponent& one : node.components) {
    if ((one.running != one.target) != changed) continue;
    names[one.running + (changed ? " -> " + one.target : "")].push_back(one.name);
  }
  std::vector<std::string> parts;
  for (const auto& [versions, components] : names) parts.push_back(join(components, ", ") + " " + versions);
  return join(parts, "; ");
}

Table node_table(const proto::UpgradePlanReport& plan, bool wide) {
  Table table{{"TURN", "NODE", "ROLE", "RESTARTS"}, {}};
  if (wide) table.header.push_back("STAYS");
  table.header.push_back("NOTE");
  for (const proto::UpgradeNode& node : plan.nodes) {
    std::vector<std::string> row{node.turn == 0 ? "-" : std::to_string(node.turn), node.name, node.role, dash(changes_text(node, true))};
    if (wide) row.push_back(dash(changes_text(node, false)));
    row.push_back(node.note);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string line(const std::string& text) { return "  " + printable(text) + "\n"; }

std::string against_text(const proto::UpgradePlanReport& plan) {
  std::string text;
  if (!plan.missing.empty()) text += "\nnot in the coordinator's store:\n";
  for (const proto::MissingArtifact& one : plan.missing) text += line(one.component + " " + one.version + " (" + one.cure + ")");
  if (!plan.refusals.empty()) text += "\nspeaks against it:\n";
  for (const proto::UpgradeRefusal& one : plan.refusals) text += line(one.reason + " (" + one.cure + ")");
  if (!plan.notes.empty()) text += "\nto be known:\n";
  for (const std::string& note : plan.notes) text += line(note);
  return text;
}

std::string summary(const proto::UpgradePlanReport& plan) {
  const std::string from = plan.version == plan.target ? plan.target + " is wanted already" : plan.version + " -> " + plan.target;
  const std::size_t count = restarting_nodes(plan);
  if (count == 0) return "Kubernetes " + from + ": nothing that is known of restarts\n";
  return "Kubernetes " + from + ": " + nodes_text(count) + (count == 1 ? " restarts" : " restart") +
         " components, pods go on; masters first and one by one, then nodes as they ask, at most " + std::to_string(plan.max_unavailable) + " at once\n";
}

// What an operator is to look at comes first.
int rank(const std::string& state) {
  static constexpr std::array k_order = {"failed", "restarting", "waiting", "silent", "done"};
  return static_cast<int>(std::find(k_order.begin(), k_order.end(), state) - k_order.begin());
}

}  // namespace

std::string upgrade_plan_text(const proto::UpgradePlanReport& plan, bool wide) {
  std::string text = summary(plan);
  if (!plan.nodes.empty()) text += "\n" + render(node_table(plan, wide));
  text += against_text(plan);
  if (plan.version == plan.target && !plan.imported.empty()) text += "\nimported, and may be next: " + printable(join(plan.imported, ", ")) + "\n";
  return text;
}

std::string upgrade_status_text(const proto::UpgradeStatusReport& status) {
  const std::string going = status.failed > 0 ? "stopped: a node has failed" : "at most " + nodes_text(status.max_unavailable) + " at once";
  std::string counts = std::to_string(status.done) + " of " + std::to_string(status.nodes.size()) + " done";
  for (const auto& [count, what] : {std::pair(status.restarting, "restarting"), std::pair(status.waiting, "waiting"), std::pair(status.failed, "failed"),
                                    std::pair(status.silent, "silent")}) {
    if (count > 0) counts += ", " + std::to_string(count) + " " + what;
  }
  std::string text = render_pairs({{"Kubernetes", status.version},
                                   {"Rollout", status.paused ? "paused: nobody begins (slipwayctl upgrade resume)" : going},
                                   {"Nodes", counts}});
  std::vector<proto::UpgradeStatusNode> nodes = status.nodes;
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return rank(a.state) < rank(b.state); });
  Table table{{"NODE", "ROLE", "STATE", "KUBELET", "KUBE-APISERVER", "REASON"}, {}};
  for (const proto::UpgradeStatusNode& node : nodes)
    table.rows.push_back({node.name, node.role, node.state, dash(node.kubelet), dash(node.api_server), node.reason});
  return table.rows.empty() ? text : text + "\n" + render(table);
}

}  // namespace slipway::ctl
