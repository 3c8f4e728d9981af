#include "agent/local_status.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "proto/codec.hpp"
#include "proto/component_text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_status = std::size_t{1} << 20;
constexpr Seconds k_stale{60};

using Row = std::vector<std::string>;

// Columns as wide as their widest cell; no trailing spaces.
void print_rows(std::ostringstream& out, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

std::string left_until(const std::string& when, WallTime now) {
  const auto time = parse_rfc3339(when);
  if (!time) return when;
  return *time > now ? "in " + to_age_text(*time - now) : "ended " + to_age_text(now - *time) + " ago";
}

std::string ago(const std::string& when, WallTime now) {
  const auto time = parse_rfc3339(when);
  if (!time) return "never";
  return to_age_text(std::max(now - *time, Seconds(0))) + " ago";
}

}  // namespace

Status write_local_status(const std::string& path, const proto::AgentLocalStatus& status) {
  if (auto made = make_dirs(parent_path(path), 0755); !made) return made;
  return write_file_atomically(path, proto::encode(status) + "\n", 0644);
}

Result<proto::AgentLocalStatus> read_local_status(const std::string& path) {
  const auto text = read_file(path, k_max_status);
  if (!text) return text.error();
  auto status = proto::decode<proto::AgentLocalStatus>(*text);
  if (!status) return context(status.error(), path);
  return status;
}

namespace {

std::vector<Row> head_rows(const proto::AgentLocalStatus& status, WallTime now, bool wide) {
  std::vector<Row> head = {{"Phase:", status.report.phase}};
  if (status.joined) {
    head.push_back({"Node:", status.node_name + " (" + status.role + ") in cluster " + status.cluster});
    head.push_back({"Address:", status.address + ", pods " + status.pod_cidr});
  }
  head.push_back({"Coordinator:", (status.coordinator.empty() ? std::string() : status.coordinator + ", ") + "last contact " + ago(status.last_contact, now)});
  head.push_back({"Revision:", std::to_string(status.report.applied_revision) + " applied, " + std::to_string(status.desired_revision) + " desired"});
  if (wide && !status.agent_version.empty()) head.push_back({"Agent:", status.agent_version});
  if (status.errors.empty() && !status.message.empty()) head.push_back({"Message:", status.message});
  if (status.drift) {
    const std::size_t most = wide ? status.drift->what.size() : std::min<std::size_t>(status.drift->what.size(), 3);
    std::string what = join({status.drift->what.begin(), status.drift->what.begin() + static_cast<std::ptrdiff_t>(most)}, ", ");
    if (most < status.drift->what.size()) what += " and " + std::to_string(status.drift->what.size() - most) + " more";
    head.push_back({"Drift:", "put back " + ago(status.drift->at, now) + ": " + what});
  }
  const auto updated = parse_rfc3339(status.updated_at);
  if (updated && now - *updated > k_stale) head.push_back({"Warning:", "this is from " + ago(status.updated_at, now) + ": see systemctl status slipway-agent"});
  return head;
}

std::vector<Row> component_rows(const proto::AgentLocalStatus& status, WallTime now) {
  std::vector<Row> rows = {{"COMPONENT", "VERSION", "STATE", "PID", "RESTARTS", "SINCE", "MESSAGE"}};
  for (const proto::ComponentStatus& c : status.report.components) {
    const auto since = status.component_since.find(c.name);
    rows.push_back({c.name, c.version, c.state, c.pid ? std::to_string(c.pid) : "-", std::to_string(c.restarts),
                    since == status.component_since.end() ? "-" : ago(since->second, now), c.message});
  }
  return rows;
}

// An agent of before tells only when they end.
std::vector<Row> certificate_rows(const proto::AgentLocalStatus& status, WallTime now, bool wide) {
  std::vector<Row> rows = {{"CERTIFICATE", "ENDS", "RENEWAL"}};
  if (wide) rows[0].push_back("SERIAL");
  for (const proto::LocalCertificate& c : status.certificates) {
    const auto renew = parse_rfc3339(c.renew_at);
    rows.push_back({c.usage, left_until(c.not_after, now), renew && *renew > now ? "in " + to_age_text(*renew - now) : "due"});
    if (wide) rows.back().push_back(c.serial);
  }
  if (!status.certificates.empty()) return rows;
  for (const proto::CertificateStatus& c : status.report.certificates) rows.push_back({c.usage, left_until(c.not_after, now), "-"});
  return rows;
}

std::vector<Row> error_rows(const proto::AgentLocalStatus& status, WallTime now) {
  std::vector<Row> rows = {{"ERROR", "SINCE", "WHAT AND CURE"}};
  const auto add = [&rows, now](const proto::LocalError& error) {
    rows.push_back({error.source, ago(error.since, now) + (error.ended ? ", over" : ""), error.message});
    if (!error.cure.empty()) rows.push_back({"", "", "-> " + error.cure});
  };
  for (const proto::LocalError& error : status.errors) add(error);
  if (status.last_error && status.last_error->ended) add(*status.last_error);
  return rows;
}

}  // namespace

std::string status_table(const proto::AgentLocalStatus& status, WallTime now, bool wide) {
  std::ostringstream out;
  print_rows(out, head_rows(status, now, wide));
  for (const std::vector<Row>& table : {component_rows(status, now), certificate_rows(status, now, wide), error_rows(status, now)}) {
    if (table.size() < 2) continue;
    out << '\n';
    print_rows(out, table);
  }
  const std::vector<std::string> ends = proto::component_ends(status.report.components, now);
  if (!ends.empty()) out << '\n';
  for (const std::string& line : ends) out << line << '\n';
  return out.str();
}

std::string health_table(const proto::HealthReport& report, bool wide) {
  std::ostringstream out;
  std::vector<std::string> good;
  for (const bool errors : {true, false}) {
    for (const proto::HealthCheck& check : report.checks) {
      if (check.ok == errors || (check.ok && !check.warning)) continue;
      out << (check.ok ? "warning" : "error") << "  " << check.name << ": " << check.message << "\n";
      if (!check.cure.empty()) out << "       " << check.cure << "\n";
    }
  }
  for (const proto::HealthCheck& check : report.checks) {
    if (check.ok && !check.warning) good.push_back(check.name + (wide && !check.message.empty() ? " (" + check.message + ")" : ""));
  }
  out << "well: " << join(good, ", ") << "\n";
  return out.str();
}

}  // namespace slipway
