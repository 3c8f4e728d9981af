#pragma once
// Makes a cluster: `slipway-coordinator init`; and an operator's credential anew: `admin-conf`. Both block.
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

struct InitOptions {
  std::string config;  // cluster.yaml
  std::string data_dir = "/var/lib/slipway/coordinator";
  std::string admin_conf = "/etc/slipway/admin.conf";
  std::string master_token_file = "/etc/slipway/master.token";
  std::optional<FileOwner> owner;  // of the data directory; absent: the caller
  std::string ca_dir;              // CAs that somebody else made; empty: all are new
  std::string ca_passphrase_file;  // encrypts the keys, and opens imported ones; empty: the credential, or plain keys
  // What the clock cannot be behind of; absent: the day of the build. For tests with clusters of the past.
  std::optional<WallTime> clock_floor = {};
};

// Everything is made beside its place and moved there at the end: on an error nothing is left. Returns the
// text for the operator: the plan's arithmetic, the pin, the next steps. Errc::invalid lists all that is
// wrong with the settings; Errc::conflict when a cluster lives in the data directory, or admin.conf knows one
// of this name.
Result<std::string> init_cluster(const InitOptions& options, WallTime now);

// What init would say of the settings, without making anything: the plan's arithmetic. Errc::invalid lists all that is wrong with them, each with
// its line. Reads that file alone.
Result<std::string> check_cluster_file(const std::string& path);

struct AdminConfOptions {
  std::string data_dir = "/var/lib/slipway/coordinator";
  std::string admin_conf = "/etc/slipway/admin.conf";
  std::string user = "admin";
  std::string ca_passphrase_file = {};
};
// A new credential for `user`; an entry of the cluster's name in the file is replaced. Errc::conflict while
// the daemon runs. Run as root, the store is opened as the data directory's owner.
Result<std::string> renew_admin_conf(const AdminConfOptions& options, WallTime now);

struct AuditVerifyOptions {
  std::string data_dir = "/var/lib/slipway/coordinator";
  std::string files;  // not empty: a copy of the log's files; the store is not read
  std::string head;   // with files: "SEQ:HASH" that the log must hold
};
struct AuditReport {
  bool ok = false;
  std::string text;
};
// `audit verify` without a daemon. Errc::conflict while one runs on the data directory (slipwayctl audit verify asks it).
Result<AuditReport> verify_audit(const AuditVerifyOptions& options);

struct ConvertOptions {
  std::string data_dir = "/var/lib/slipway/coordinator";
  std::string ca_passphrase_file;      // opens keys that are encrypted; encrypt: also what they are encrypted with
  std::string new_passphrase_file;     // passwd
  enum class To { encrypted, plain, other_passphrase } to = To::encrypted;
};
// `ca encrypt|decrypt|passwd`: the daemon must not run; after a crash the same command ends it. Returns the text for the operator.
Result<std::string> convert_ca_keys(const ConvertOptions& options);

}  // namespace slipway
