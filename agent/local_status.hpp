#pragma once
// The agent's word on its own host: a file below /run that anybody may read and that holds no secret.
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "proto/file_types.hpp"
#include "proto/view_types.hpp"

namespace slipway {

inline constexpr char k_local_status_file[] = "/run/slipway/agent-status.json";

// Replaces the file by rename, mode 0644. Not durable: it lives in memory.
Status write_local_status(const std::string& path, const proto::AgentLocalStatus& status);
// Errc::not_found: no agent has run since the boot.
Result<proto::AgentLocalStatus> read_local_status(const std::string& path);

// For people; ends with a line feed. Pure.
// `wide`: more columns, and all that drifted.
std::string status_table(const proto::AgentLocalStatus& status, WallTime now, bool wide = false);
// What is not well first; `wide`: with what is.
std::string health_table(const proto::HealthReport& report, bool wide = false);

}  // namespace slipway
