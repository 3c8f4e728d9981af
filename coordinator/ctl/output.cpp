#include "coordinator/ctl/output.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "proto/codec.hpp"
#include "proto/component_text.hpp"

namespace slipway::ctl {

namespace {

// Counts UTF-8 characters rather than bytes, well enough for columns.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void append_row(std::string& out, const std::vector<std::string>& row,
                const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string cell = printable(row[i]);
    line += cell;
    if (i + 1 < row.size()) line.append(widths[i] - width_of(cell) + 2, ' ');
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  out += line + "\n";
}

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}
std::string dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

// "2/3 running" of what a node reported.
std::string component_summary(const proto::NodeView& node) {
  if (node.components.empty()) return "-";
  const auto running = std::count_if(
      node.components.begin(), node.components.end(),
      [](const proto::ComponentStatus& c) { return c.state == "running" || c.state == "installed"; });
  return std::to_string(running) + "/" + std::to_string(node.components.size());
}

}  // namespace

std::string printable(std::string_view given) {
  std::string text(given);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::string render(const Table& table) {
  std::vector<std::size_t> widths;
  return render_rows(table, widths, true);
}

std::string render_rows(const Table& table, std::vector<std::size_t>& widths, bool with_header) {
  widths.resize(table.header.size());
  for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width_of(table.header[i]));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  if (with_header) append_row(out, table.header, widths);
  for (const auto& row : table.rows) append_row(out, row, widths);
  return out;
}

std::string render_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::size_t width = 0;
  for (const auto& [name, value] : pairs) width = std::max(width, width_of(name));
  std::string out;
  for (const auto& [name, value] : pairs) {
    out += name + ":" + std::string(width - width_of(name) + 2, ' ') + printable(value) + "\n";
  }
  return out;
}

std::string render_document(std::string_view json, Format format) {
  if (format == Format::yaml) {
    auto yaml = json_to_yaml(json);
    if (yaml) return *yaml;
  }
  return proto::pretty(json) + "\n";
}

bool is_heard(const proto::NodeView& node, WallTime now) {
  constexpr Seconds k_dead{600};
  const auto heard = parse_rfc3339(node.last_contact);
  return heard && now - *heard < k_dead;
}

std::string first_names(const std::vector<std::string>& names, std::size_t most) {
  const std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), most)));
  return join(first, ", ") + (names.size() > most ? " and " + std::to_string(names.size() - most) + " more" : "");
}

std::string when(const std::string& rfc3339, WallTime now) {
  if (rfc3339.empty()) return "never";
  const auto time = parse_rfc3339(rfc3339);
  if (!time) return rfc3339;
  if (*time > now) return "in " + to_age_text(*time - now);
  return to_age_text(now - *time) + " ago";
}

std::string human_size(std::uint64_t bytes) {
  static constexpr std::array units = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

Table token_table(const proto::TokenList& list, WallTime now) {
  Table table{{"ID", "ROLE", "NODE", "POOL", "FROM", "USES", "STATE", "EXPIRES", "CREATED"}, {}};
  for (const proto::TokenView& token : list.items) {
    table.rows.push_back({token.id, token.role, token.node.empty() ? "any" : token.node, dash(token.pool),
                          token.sources.empty() ? "anywhere" : join(token.sources, ","),
                          std::to_string(token.uses) + "/" + std::to_string(token.max_uses), token.state,
                          when(token.expires_at, now), when(token.created_at, now)});
  }
  return table;
}

Table node_table(const proto::NodeList& list, bool wide, WallTime now) {
  Table table{{"NAME", "ROLE", "PHASE", "ADDRESS", "POD-CIDR", "COMPONENTS", "LAST-CONTACT"}, {}};
  if (wide)
    table.header.insert(table.header.end(),
                        {"PUBLISHED", "REVISION", "JOINED", "TOKEN", "OS", "AGENT", "ROTATING", "SETTINGS", "LAST-ERROR"});
  for (const proto::NodeView& node : list.items) {
    std::vector<std::string> row = {node.name,
                                    node.role,
                                    node.phase + (node.unschedulable ? ",cordoned" : ""),
                                    node.address,
                                    node.pod_cidr,
                                    component_summary(node),
                                    when(node.last_contact, now)};
    if (wide) {
      row.insert(row.end(), {yes_no(node.pod_cidr_published), std::to_string(node.applied_revision),
                             when(node.joined_at, now), dash(node.token_id), dash(node.facts.os),
                             dash(node.facts.agent_version), yes_no(!node.renew_before.empty()), dash(node.settings), dash(node.last_error)});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table pending_table(const proto::PendingNodeList& list, bool wide, WallTime now) {
  Table table{{"WAITS-AS", "ROLE", "STATE", "ADDRESS", "FINGERPRINT", "SINCE", "REASON"}, {}};
  if (wide)
    table.header.insert(table.header.end(), {"TOKEN", "POOL", "MACHINE-ID", "OS", "CPUS", "MEMORY", "DECIDED-BY"});
  for (const proto::PendingNodeView& node : list.items) {
    std::vector<std::string> row = {node.name,
                                    node.role,
                                    node.state,
                                    node.address,
                                    wide ? node.fingerprint : node.fingerprint.substr(0, 16),
                                    when(node.since, now),
                                    dash(node.reason)};
    if (wide) {
      row.insert(row.end(), {dash(node.token_id), dash(node.pool), dash(node.facts.machine_id), dash(node.facts.os),
                             std::to_string(node.facts.cpus), human_size(node.facts.memory_bytes),
                             dash(node.decided_by)});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table attempt_table(const proto::JoinAttemptList& list, WallTime now) {
  Table table{{"WHEN", "TIMES", "NAME", "FROM", "TOKEN", "STAGE", "RESULT", "CURE"}, {}};
  for (const proto::JoinAttempt& attempt : list.items) {
    std::string result = "joined";
    if (!attempt.accepted) result = (attempt.stage == "approval" ? "" : "refused: ") + attempt.reason;
    table.rows.push_back({when(attempt.time, now), std::to_string(attempt.count), dash(attempt.node_name),
                          attempt.address, dash(attempt.token_id), dash(attempt.stage), std::move(result),
                          dash(attempt.cure)});
  }
  return table;
}

Table operator_table(const proto::OperatorList& list, WallTime now) {
  Table table{{"NAME", "ROLE", "EXPIRES", "ISSUED", "SERIAL"}, {}};
  for (const proto::OperatorView& view : list.items) {
    table.rows.push_back({view.user, view.role, when(view.not_after, now), when(view.not_before, now), view.serial.substr(0, 12)});
  }
  return table;
}

Table context_table(const proto::AdminConfig& config, const std::string& current) {
  Table table{{"CURRENT", "NAME", "SERVER"}, {}};
  for (const proto::AdminCluster& cluster : config.clusters) {
    table.rows.push_back({cluster.name == current ? "*" : "", cluster.name, cluster.server});
  }
  return table;
}

Table artifact_table(const proto::ArtifactList& list, bool wide, WallTime now) {
  Table table{{"COMPONENT", "VERSION", "FORMAT", "SIZE", "SHA256", "IMPORTED"}, {}};
  for (const proto::Artifact& artifact : list.items) {
    table.rows.push_back({artifact.component, artifact.version, artifact.format, human_size(artifact.size),
                          wide ? artifact.sha256 : artifact.sha256.substr(0, 12),
                          when(artifact.imported_at, now)});
  }
  return table;
}

Table certificate_table(const proto::CertificateList& list, bool wide, WallTime now) {
  Table table{{"OF", "USAGE", "EXPIRES", "RESIDUAL", "SERIAL"}, {}};
  if (wide) table.header.insert(table.header.end(), {"NOT-BEFORE", "SHA256"});
  for (const proto::CertificateView& certificate : list.items) {
    const auto end = parse_rfc3339(certificate.not_after);
    std::string residual = "-";
    if (end) residual = *end > now ? to_age_text(*end - now) : "expired";
    std::vector<std::string> row = {dash(certificate.node), certificate.usage, certificate.not_after,
                                    residual, wide ? certificate.serial : certificate.serial.substr(0, 12)};
    if (wide) row.insert(row.end(), {certificate.not_before, certificate.sha256});
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string ca_text(const proto::CaList& list, WallTime now) {
  Table table{{"AUTHORITY", "PHASE", "SIGNS", "SUBJECT", "ENDS", "OTHER"}, {}};
  std::string notes;
  for (const proto::CaView& ca : list.items) {
    table.rows.push_back({ca.kind, ca.phase, "number " + std::to_string(ca.signing.number), ca.signing.subject, when(ca.signing.not_after, now),
                          ca.other ? "number " + std::to_string(ca.other->number) : "-"});
    for (const std::string& node : ca.waiting_for) notes += ca.kind + ": not confirmed by node " + node + "\n";
    for (const std::string& holder : ca.held_by) notes += ca.kind + ": needed by " + holder + "\n";
    if (!ca.next.empty()) notes += ca.kind + ": next: " + ca.next + "\n";
  }
  const std::string text = render(table);
  if (notes.empty()) return text;
  // What nodes and people are named is theirs to say: nothing of it moves the cursor.
  for (char& c : notes) {
    const bool plain = c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    if (!plain) c = '?';
  }
  return text + "\n" + notes;
}

Table health_table(const proto::HealthReport& report) {
  Table table{{"CHECK", "STATE", "MESSAGE", "CURE"}, {}};
  for (const proto::HealthCheck& check : report.checks) {
    table.rows.push_back({check.name, !check.ok ? "NOT OK" : check.warning ? "warning" : "ok", check.message, check.ok ? "" : check.cure});
  }
  return table;
}

std::string node_text(const proto::NodeView& node, WallTime now) {
  std::string out = render_pairs(
      {{"Name", node.name},
       {"Role", node.role},
       {"Phase", node.phase},
       {"New pods", node.unschedulable ? "none: cordoned" : "yes"},
       {"Address", node.address},
       {"Pod CIDR", (node.pod_cidrs.size() > 1 ? join(node.pod_cidrs, ", ") : node.pod_cidr) + (node.pod_cidr_published ? " (published)" : " (not published yet)")},
       {"Joined", when(node.joined_at, now) + ", token " + dash(node.token_id)},
       {"Last contact", when(node.last_contact, now)},
       {"Applied revision", std::to_string(node.applied_revision)},
       {"Host", node.facts.os + ", kernel " + node.facts.kernel + ", " + std::to_string(node.facts.cpus) +
                    " CPUs, " + human_size(node.facts.memory_bytes)},
       {"UID", node.uid + ", generation " + std::to_string(node.generation)},
       {"Certificates", node.renew_before.empty() ? "in use" : "being renewed: those from before " + node.renew_before},
       {"Last error", dash(node.last_error)}});
  Table conditions{{"CONDITION", "OK", "REASON", "MESSAGE"}, {}};
  for (const auto& c : node.conditions)
    conditions.rows.push_back({c.type, yes_no(c.ok), dash(c.reason), c.message});
  Table components{{"COMPONENT", "VERSION", "STATE", "SINCE", "RESTARTS", "PID", "MESSAGE"}, {}};
  for (const auto& c : node.components) {
    components.rows.push_back({c.name, dash(c.version), c.state, c.since.empty() ? "-" : when(c.since, now), std::to_string(c.restarts),
                               c.pid == 0 ? "-" : std::to_string(c.pid), c.message});
  }
  Table certificates{{"CERTIFICATE", "EXPIRES", "SERIAL"}, {}};
  for (const auto& c : node.certificates)
    certificates.rows.push_back({c.usage, when(c.not_after, now), c.serial});
  for (const Table* table : {&conditions, &components, &certificates}) {
    if (!table->rows.empty()) out += "\n" + render(*table);
  }
  const std::vector<std::string> ends = proto::component_ends(node.components, now);
  if (!ends.empty()) out += "\n";
  for (const std::string& line : ends) out += printable(line) + "\n";
  return out;
}

static std::string rollout_text(const proto::RolloutView& rollout) {
  std::string text = std::to_string(rollout.applied) + " of " + std::to_string(rollout.nodes) + " nodes run with theirs";
  if (rollout.waiting > 0) text += ", " + std::to_string(rollout.waiting) + " wait";
  if (rollout.restarting > 0) text += ", " + std::to_string(rollout.restarting) + " restart";
  text += "; at most " + std::to_string(rollout.max_unavailable) + " at once";
  if (rollout.paused) text += "; paused (slipwayctl upgrade resume)";
  if (!rollout.failed.empty()) text += "; stopped by " + join(rollout.failed, ", ") + " (slipwayctl node config NAME --diff)";
  return text;
}

namespace {

std::string runtime_versions(const proto::ClusterSpec& spec) {
  std::string text;
  for (const kube::RuntimeArtifact& artifact : kube::runtime_artifacts(spec)) text += ", " + artifact.component + " " + artifact.version;
  return text;
}

}  // namespace

std::string cluster_text(const proto::ClusterView& cluster) {
  const proto::ClusterSpec& spec = cluster.spec;
  const proto::ClusterCapacity& capacity = cluster.capacity;
  std::vector<std::pair<std::string, std::string>> pairs =
      {{"Name", spec.metadata.name},
       {"ID", cluster.id},
       {"API server", spec.api_server.endpoint},
       {"Pod CIDR",
        spec.network.pod_cidr + ", a /" + std::to_string(spec.network.node_prefix_length) + " for each node"},
       {"Service CIDR", spec.network.service_cidr + ", " + std::to_string(capacity.services) + " services"},
       {"DNS", spec.network.dns_domain + " at " + spec.network.dns_ip},
       {"Network backend", spec.network.backend},
       {"Runtime", spec.runtime},
       {"Versions", "kubernetes " + spec.versions.kubernetes + ", etcd " + spec.versions.etcd + runtime_versions(spec) +
                        ", cni-plugins " + spec.versions.cni_plugins},
       {"Nodes", std::to_string(capacity.nodes) + " of " + std::to_string(capacity.max_nodes) + ", " +
                     std::to_string(capacity.quarantined) + " blocks in quarantine"},
       {"Pods per node", std::to_string(capacity.pods_per_node)},
       {"CA pin", "sha256:" + cluster.ca_sha256},
       {"Revision", std::to_string(cluster.revision)}};
  if (cluster.rollout) pairs.push_back({"Settings", rollout_text(*cluster.rollout)});
  return render_pairs(pairs);
}

}  // namespace slipway::ctl
