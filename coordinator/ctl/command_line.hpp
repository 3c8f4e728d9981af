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
};
struct TokenList {};
struct TokenDelete {
  std::string id;
};
struct NodeList {
  bool all = false;  // refused attempts to join as well
};
struct NodeGet {
  std::string name;
};
struct NodeDelete {
  std::string name;
};
struct ClusterGet {};
struct ClusterApply {
  std::string file;
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
struct ArtifactList {};
struct CertsCheckExpiration {};
struct CertsStatus {};
struct CertsRotateCa {
  std::string kind;
  bool prepare = false, activate = false, retire = false, abort = false;  // exactly one
  bool force = false;
  bool from_files = false;
};
struct Health {};

using Command =
    std::variant<TokenCreate, TokenList, TokenDelete, NodeList, NodeGet, NodeDelete, ClusterGet, ClusterApply,
                 ClusterKubeconfig, ArtifactImport, ArtifactList, CertsCheckExpiration, Health,
                 CertsStatus, CertsRotateCa>;

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
