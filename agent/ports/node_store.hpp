#pragma once
// Ports: what the agent must still know after a crash or a reboot. Calls block for a few fsyncs: on an event thread through
// offload(). Every write is all or nothing and durable when it returns.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

// Who this host is in which cluster, as the join answer said.
struct NodeIdentity {
  std::string cluster;       // metadata.name
  std::string cluster_id;
  std::string node_name;
  std::string node_uid;
  std::uint64_t generation = 0;
  std::string role;          // "node" or "master"
  std::string address;       // of the node itself
  std::string pod_cidr;

  bool operator==(const NodeIdentity&) const = default;
};

// The last whole desired state taken over, as it came, and what has changed since: the agent starts from them when no coordinator answers.
struct StoredDesired {
  std::string epoch;
  std::uint64_t revision = 0;
  std::string json;
  std::vector<std::string> left_epochs = {};  // that never come back, the oldest first
  std::vector<std::string> deltas = {};       // taken over since, as they came, the oldest first; some may be older than `revision`

  bool operator==(const StoredDesired&) const = default;
};

class NodeStore {
 public:
  virtual ~NodeStore() = default;
  virtual Result<std::optional<NodeIdentity>> identity() = 0;  // nullopt: never joined
  virtual Status save_identity(const NodeIdentity& identity) = 0;
  virtual Result<std::optional<StoredDesired>> desired() = 0;
  // With its deltas forgotten: they are in it.
  virtual Status save_desired(const StoredDesired& desired) = 0;
  // Behind those that are there: a change costs what it changes, not a file of a megabyte.
  virtual Status append_delta(const std::string& json) = 0;
  virtual Status forget() = 0;  // identity, desired state, keys, certificates, bundles: all of it
};

struct KeyPair {
  std::string chain_pem;  // leaf first
  Secret key_pem;
};

// Keys and certificates by usage ("agent", "kubeletClient", ...) and CA bundles by name ("fabric", "kubeClient", ...).
class CredentialStore {
 public:
  virtual ~CredentialStore() = default;
  // A new key is kept here before its certificate request leaves the host, so that an answer that comes after a crash, or a
  // retry of the same request, meets the same key.
  virtual Result<std::optional<Secret>> pending_key(const std::string& usage) = 0;
  virtual Status save_pending_key(const std::string& usage, const Secret& key_pem) = 0;

  // Makes the pending key and this certificate the pair in use, in one step, and forgets the pending key.
  // Errc::not_found without a pending key. The caller has checked that they belong together.
  virtual Status activate(const std::string& usage, const std::string& chain_pem) = 0;
  virtual Result<std::optional<KeyPair>> pair(const std::string& usage) = 0;

  virtual Result<std::optional<std::string>> ca_bundle(const std::string& name) = 0;
  virtual Status save_ca_bundle(const std::string& name, const std::string& pem) = 0;

  // Paths under which other programs find the pair in use, for ever the same: a renewal changes both files in one rename.
  // The paths are good before the first activate(), they lead nowhere then.
  virtual std::string chain_path(const std::string& usage) const = 0;
  virtual std::string key_path(const std::string& usage) const = 0;
};

}  // namespace slipway
