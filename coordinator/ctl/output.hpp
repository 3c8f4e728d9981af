#pragma once
// How results look: tables for people, JSON and YAML for programs. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/time.hpp"
#include "coordinator/ctl/command_line.hpp"
#include "proto/file_types.hpp"
#include "proto/cluster_types.hpp"
#include "proto/join_types.hpp"
#include "proto/network_probe.hpp"
#include "proto/view_types.hpp"

namespace slipway::ctl {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};
// Columns two spaces apart, no spaces at line ends. Control characters of values are shown as '?': a node
// cannot write to the operator's terminal.
std::string render(const Table& table);
// The same with columns at least as wide as `widths`, which learns from each call; without the header when not asked for it.
std::string render_rows(const Table& table, std::vector<std::size_t>& widths, bool with_header);
// "name:  value" lines with aligned values.
std::string render_pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

// JSON text as it is to be shown in `format` (json or yaml).
std::string render_document(std::string_view json, Format format);

// "3m ago" for a past instant in RFC 3339, "in 5h" for a coming one, "never" for the empty text.
std::string when(const std::string& rfc3339, WallTime now);
// Heard within the time after which the coordinator reckons with a silent node, which fetches the whole state when it returns.
bool is_heard(const proto::NodeView& node, WallTime now);
// "n1, n2 and 5 more": the first `most` of them.
std::string first_names(const std::vector<std::string>& names, std::size_t most);
// A host's or a server's word with control characters as '?'.
std::string printable(std::string_view text);
// "113.9 MB"
std::string human_size(std::uint64_t bytes);

Table token_table(const proto::TokenList& list, WallTime now);
Table node_table(const proto::NodeList& list, bool wide, WallTime now);
Table pending_table(const proto::PendingNodeList& list, bool wide, WallTime now);
Table attempt_table(const proto::JoinAttemptList& list, WallTime now);
Table operator_table(const proto::OperatorList& list, WallTime now);
Table context_table(const proto::AdminConfig& config, const std::string& current);
Table artifact_table(const proto::ArtifactList& list, bool wide, WallTime now);
Table certificate_table(const proto::CertificateList& list, bool wide, WallTime now);
Table health_table(const proto::HealthReport& report);
// A line of counts, the pairs that failed, the nodes that took no part, and what was not tried.
std::string network_text(const proto::NetworkProbe& probe, bool wide);
Table pool_table(const proto::PoolList& list, bool wide, WallTime now);
Table pool_node_table(const proto::PoolTenantList& list);
std::string pool_text(const proto::PoolView& pool, WallTime now);
// A table of the authorities, and below it what each replacement under way waits for and asks for.
std::string ca_text(const proto::CaList& list, WallTime now);
std::string node_text(const proto::NodeView& node, WallTime now);
std::string cluster_text(const proto::ClusterView& cluster);

}  // namespace slipway::ctl
