#pragma once
// The agent's state as files. Layout, all below the data directory (0700):
//
// <data dir>                         /var/lib/slipway/agent
//   node.json                        0600  NodeIdentity
//   desired.json                     0600  the last whole desired state
//   desired.log                      0600  what has changed since, a line each: 16 digits of its SHA-256, the JSON
//   applied.json                     0600  the settings that components came up with last
//   artifact-trust.json              0600  who may sign artifacts (FileTrustStore)
//   pki/                             0700
//     <usage>/                       0700
//       pending.key                  0600  a new key whose certificate is not there yet
//       <n>/chain.pem, <n>/key.pem   0600  generation n of the pair
//       current -> <n>               switched by rename: both files change in one step
//     ca/<name>.pem                  0644
#include <memory>
#include <string>

#include "agent/ports/node_store.hpp"

namespace slipway {

// All files right below the data directory that the agent writes, the identity first: without it the rest means nothing. A leave and a reset
// remove them; the folders and the lock are theirs to name.
inline constexpr const char* k_state_files[] = {"node.json", "desired.json", "desired.log", "applied.json", "artifact-trust.json"};

// Calls block. Not thread safe: one caller at a time. One process a data directory (DirLock).
class FileNodeStore : public NodeStore, public CredentialStore {
 public:
  // Makes the folders and removes what a crash left behind.
  static Result<std::unique_ptr<FileNodeStore>> open(const std::string& data_dir);

  Result<std::optional<NodeIdentity>> identity() override;
  Status save_identity(const NodeIdentity& identity) override;
  Result<std::optional<StoredDesired>> desired() override;
  Status save_desired(const StoredDesired& desired) override;
  Status append_delta(const std::string& json) override;
  Status forget() override;
  // A proto::AppliedSettings, as it came.
  Result<std::optional<std::string>> applied();
  Status save_applied(const std::string& json);

  Result<std::optional<Secret>> pending_key(const std::string& usage) override;
  Status save_pending_key(const std::string& usage, const Secret& key_pem) override;
  Status activate(const std::string& usage, const std::string& chain_pem) override;
  Result<std::optional<KeyPair>> pair(const std::string& usage) override;
  Result<std::optional<std::string>> ca_bundle(const std::string& name) override;
  Status save_ca_bundle(const std::string& name, const std::string& pem) override;
  std::string chain_path(const std::string& usage) const override;
  std::string key_path(const std::string& usage) const override;

 private:
  explicit FileNodeStore(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  std::string usage_dir(const std::string& usage) const { return data_dir_ + "/pki/" + usage; }

  std::string data_dir_;
};

// What the store in `data_dir` holds, without opening it: also while the agent does. Blocks.
Result<std::optional<StoredDesired>> read_stored_desired(const std::string& data_dir);

}  // namespace slipway
