#include "agent/local_status.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

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

std::string status_table(const proto::AgentLocalStatus& status, WallTime now) {
  std::ostringstream out;
  std::vector<Row> head = {{"Phase:", status.report.phase}};
  if (status.joined) {
    head.push_back({"Node:", status.node_name + " (" + status.role + ") in cluster " + status.cluster});
    head.push_back({"Address:", status.address + ", pods " + status.pod_cidr});
  }
  head.push_back({"Coordinator:", "last contact " + ago(status.last_contact, now)});
  head.push_back({"Revision:", std::to_string(status.report.applied_revision) + " applied, " +
                                   std::to_string(status.desired_revision) + " desired"});
  if (!status.message.empty()) head.push_back({"Message:", status.message});
  const auto updated = parse_rfc3339(status.updated_at);
  if (updated && now - *updated > k_stale) {
    head.push_back(
        {"Warning:", "this is from " + ago(status.updated_at, now) + ": see systemctl status slipway-agent"});
  }
  print_rows(out, head);
  std::vector<Row> components = {{"COMPONENT", "VERSION", "STATE", "PID", "RESTARTS", "MESSAGE"}};
  for (const proto::ComponentStatus& c : status.report.components) {
    components.push_back({c.name, c.version, c.state, c.pid ? std::to_string(c.pid) : "-",
                          std::to_string(c.restarts), c.message});
  }
  std::vector<Row> certificates = {{"CERTIFICATE", "ENDS"}};
  for (const proto::CertificateStatus& c : status.report.certificates)
    certificates.push_back({c.usage, left_until(c.not_after, now)});
  for (const auto* table : {&components, &certificates}) {
    if (table->size() < 2) continue;
    out << '\n';
    print_rows(out, *table);
  }
  const std::vector<std::string> ends = proto::component_ends(status.report.components, now);
  if (!ends.empty()) out << '\n';
  for (const std::string& line : ends) out << line << '\n';
  return out.str();
}

}  // namespace slipway
