#pragma once
// /etc/slipway/coordinator.yaml and the layout of the data directory. Blocks.
//
//   <dataDir>/                  0700
//   <dataDir>/.lock             one daemon at a time
//   <dataDir>/state.db          SQLite: the whole state
//   <dataDir>/audit/            audit log (coordinator/store/audit_files.hpp)
//   <dataDir>/ca/               certificate authorities, service account key (coordinator/ca/ca_files.hpp)
//   <dataDir>/import/           CAs for `certs rotate-ca KIND --prepare --import`, put there by the operator
//   <dataDir>/routes/           which routes outside are ours (network.backend: routes)
//   <dataDir>/artifacts/sha256/ content by digest
//   <dataDir>/spool/            uploads under way
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/http/server.hpp"
#include "proto/file_types.hpp"

namespace slipway {

// A missing file means the defaults. Errc::invalid: a line for each problem, "FILE:LINE:COLUMN: /field: ...". Reads no secret.
Result<proto::CoordinatorConfig> load_coordinator_config(const std::string& path);

// How long a block of pod addresses rests at least; of a checked configuration.
Seconds quarantine_min_age(const proto::CoordinatorConfig& config);
http::ServerLimits server_limits(const proto::ConnectionLimits& limits);

// How many threads do I/O when so many are wanted (0: as fits the machine). 0: the state thread does it.
std::uint64_t io_thread_count(std::uint64_t wanted);
// How many may be waiting for signatures at once.
std::size_t signing_channels(const proto::CoordinatorConfig& config);

inline std::string ca_dir(const std::string& data_dir) {
  return data_dir + "/ca";
}
inline std::string audit_dir(const std::string& data_dir) {
  return data_dir + "/audit";
}
inline std::string import_dir(const std::string& data_dir) {
  return data_dir + "/import";
}
// In a folder of its own: files that come beside the hidden ones while the coordinator runs are hidden with them
// (coordinator/signer/hidden_files.hpp).
inline std::string join_log_file(const std::string& data_dir) {
  return data_dir + "/joins/attempts.json";
}
// In a folder of its own for the same reason.
inline std::string routes_file(const std::string& data_dir) {
  return data_dir + "/routes/set.json";
}
inline std::string state_file(const std::string& data_dir) {
  return data_dir + "/state.db";
}

}  // namespace slipway
