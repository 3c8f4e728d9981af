#pragma once
// slipwayctl's command line as values. CLI11 stays in command_line.cpp.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace slipway::ctl {

// kubeadm's codes and ours above them (DESIGN.md section 5).
enum ExitCode {
  k_ok = 0,
  k_failed = 1,
  k_preflight = 2,
  k_usage = 3,
  k_not_joined = 4,
  k_denied = 5,
  k_timed_out = 6
};

struct TokenCreate {
  std::string ttl = "24h";
  std::uint64_t max_uses = 1;
  std::string node;
  std::string role = "node";
  bool quiet = false;
  std::string pool = {};
  std::vector<std::string> sources = {};
};
struct TokenList {
  std::string role;   // empty: any; so are all filters
  std::string state;
};
struct TokenDelete {
  std::string id;
  bool yes = false;
};
struct NodeList {
  bool all = false;  // also who waits for approval, and the attempts to join
  bool watch = false;
  std::string role;
  std::string phase;
  std::string selector;
};
struct NodeGet {
  std::string name;
};
struct NodeDelete {
  std::string name;
  bool yes = false;
};
struct NodeCordon {
  std::string name;
  bool undo = false;
};
struct NodeDrain {
  std::string name;
  std::string timeout = "5m";
  bool force = false;
  bool yes = false;
};
struct NodeConfig {
  std::string name;
  bool diff = false;
  std::string file = {};  // the node's own settings, in the place of those it has
  bool clear = false;  // none of its own
  bool yes = false;
};
struct NodeApprove {
  std::string name;
  std::string fingerprint;  // empty: whoever waits under the name
};
struct NodeDeny {
  std::string name;
  std::string reason;
  bool yes = false;
};
struct NodeReplace {
  std::string name;
  std::string ttl = "24h";
  bool quiet = false;
  bool yes = false;
};
struct PoolList {
  bool watch = false;
};
struct PoolGet {
  std::string name;
};
struct PoolNodes {
  std::string name;
};
struct PoolCreate {
  std::string name;
  std::vector<std::string> ranges;
  std::uint64_t node_prefix_length = 0;
  std::string role;
  std::string name_pattern;
  bool only_by_name = false;
};
struct PoolGrow {
  std::string name;
  std::vector<std::string> ranges;
  std::uint64_t node_prefix_length = 0;
  bool yes = false;
};
struct PoolDrain {
  std::string name;
  bool undo = false;
  bool yes = false;
};
struct PoolDelete {
  std::string name;
  bool yes = false;
};
// Without a node: reserved, nobody gets it.
struct PoolHold {
  std::string block;
  std::string node;
  std::string note;
};
struct PoolRelease {
  std::string block;
};
struct ClusterGet {};
struct ClusterApply {
  std::string file;
  bool dry_run = false;
  bool wait = false;  // until all live nodes have applied it
  std::string timeout = "5m";
  bool yes = false;
};
// Versions of Kubernetes, with or without "v".
struct UpgradePlan {
  std::string version = {};  // empty: the wanted one, so what is left of the way to it
};
struct UpgradeApply {
  std::string version;
  bool dry_run = false;
  bool wait = false;  // until all live nodes run with it
  std::string timeout = "30m";
  bool yes = false;
};
struct UpgradePause {
  bool undo = false;
};
struct UpgradeStatus {
  bool watch = false;
};
struct ClusterKubeconfig {
  std::string file;  // empty: standard output
  std::string user = "admin";
};
struct ArtifactImport {
  std::string file;
  std::string component;
  std::string version;
  std::string format;  // empty: by the file's name
  std::vector<std::string> members;
};
// Versions with or without "v"; an empty one is not fetched. Bases are where each project publishes its releases.
struct ArtifactFetch {
  std::string kubernetes;
  std::string containerd = {};
  std::string runc = {};
  std::string cni_plugins = {};
  std::string etcd = {};
  std::string from = "https://dl.k8s.io/release";
  std::string containerd_from = "https://github.com/containerd/containerd/releases/download";
  std::string runc_from = "https://github.com/opencontainers/runc/releases/download";
  std::string cni_plugins_from = "https://github.com/containernetworking/plugins/releases/download";
  std::string etcd_from = "https://github.com/etcd-io/etcd/releases/download";
  std::string arch = {};                // as Go calls it; empty: this machine's
  std::vector<std::string> only = {};   // components; empty: all of what is named
  std::string to = {};                  // a folder to keep the files in; empty: they are imported
  std::string ca_file = {};             // PEM; empty: the host's own list
  std::string timeout = "1h";           // of the whole
  bool dry_run = false;
};
struct ArtifactList {};
struct ArtifactDelete {
  std::string component;
  std::string version;
  bool yes = false;
};
struct ArtifactCollect {
  std::string min_age = "1h";
  bool dry_run = false;
  bool yes = false;
};
// These three look at files alone, no coordinator is asked: they are for the machine where the keys are.
struct ArtifactKeygen {
  std::string file;
};
struct ManifestSign {
  std::string file;
  std::string key_file;
};
struct ManifestVerify {
  std::string file;
  std::vector<std::string> signers;
  std::uint64_t threshold = 1;
};
struct ManifestCreate {
  std::string file;
  std::uint64_t number = 0;  // 0: one more than the cluster's
  std::string valid_for = "90d";
  std::vector<std::string> signers;  // new ones
  std::uint64_t threshold = 1;
};
struct ManifestPut {
  std::string file;
};
struct ManifestGet {};
struct CertsCheckExpiration {
  std::string node;
  std::string usage;
  std::string within;  // only what ends in this time, such as 7d
};
struct CertsRotate {
  std::string node;
  bool all = false;
};
struct CertsList {
  bool revoked = false;  // those of removed nodes that have not ended
};
struct CertsStatus {
  bool watch = false;
};
struct CertsRotateCa {
  std::string kind;
  bool prepare = false, activate = false, retire = false, abort = false;  // exactly one
  bool force = false;
  bool from_files = false;
  bool yes = false;
  bool wait = false;  // prepare: until all nodes have confirmed the bundle
  std::string timeout = "5m";
};
struct AuditList {
  std::uint64_t limit = 50;
  std::string node;
  std::string action;
  std::string certificate;
};
struct AuditVerify {};
struct Health {
  bool watch = false;
};
struct HealthNetwork {
  bool last = false;  // show the last probe, start none
};
struct Support {
  std::string file;  // empty: a name with the time, in the present folder
};
struct OperatorCreate {
  std::string user;
  std::string role = "viewer";
  std::string file;  // empty: standard output
};
struct OperatorList {};
struct OperatorRevoke {
  std::string user;
  bool yes = false;
};
// These look at the configuration alone, no coordinator is asked.
struct ConfigGetContexts {};
struct ConfigCurrentContext {};
struct ConfigUseContext {
  std::string name;
};

// No coordinator is asked: there is none yet.
struct Plan {
  std::uint64_t nodes = 0;
  std::uint64_t pods = 110;
  std::uint64_t services = 4000;
  std::uint64_t growth = 100;
  bool tight = false;
  std::string ipv6 = {};  // a range; empty: none
  std::vector<std::string> avoid = {};
};

using Command =
    std::variant<TokenCreate, TokenList, TokenDelete, NodeList, NodeGet, NodeDelete, ClusterGet, ClusterApply,
                 ClusterKubeconfig, ArtifactImport, ArtifactList, CertsCheckExpiration, Health,
                 OperatorCreate, OperatorList, OperatorRevoke, ConfigGetContexts, ConfigCurrentContext,
                 ConfigUseContext, NodeApprove, NodeDeny, NodeReplace, CertsList, AuditList, AuditVerify,
                 PoolList, PoolGet, PoolCreate, PoolGrow, PoolDrain, PoolDelete, PoolHold, PoolRelease,
                 CertsStatus, CertsRotateCa, NodeCordon, NodeDrain, PoolNodes, CertsRotate, Support,
                 NodeConfig, ArtifactDelete, ArtifactCollect, ArtifactKeygen, ManifestSign, ManifestVerify,
                 ManifestCreate, ManifestPut, ManifestGet, ArtifactFetch, HealthNetwork, Plan,
                 UpgradePlan, UpgradeApply, UpgradePause, UpgradeStatus>;

enum class Format { table, wide, json, yaml };

struct CommandLine {
  std::string config = "/etc/slipway/admin.conf";
  std::string cluster;  // empty: the configuration's current one
  Format format = Format::table;
  Command command;
};

// Help, version or a mistake: text to print and the code to exit with.
struct Usage {
  int code = k_usage;
  std::string text;
};

// `default_config`: from $SLIPWAYCTL_CONFIG, empty when not set.
std::variant<CommandLine, Usage> parse_command_line(int argc, const char* const* argv,
                                                    const std::string& default_config);

}  // namespace slipway::ctl
