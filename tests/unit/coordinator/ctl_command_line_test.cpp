#include "coordinator/ctl/command_line.hpp"

#include <catch2/catch.hpp>
#include <vector>

namespace slipway::ctl {
namespace {

std::variant<CommandLine, Usage> parse(std::vector<const char*> words, const std::string& config = "") {
  words.insert(words.begin(), "slipwayctl");
  return parse_command_line(static_cast<int>(words.size()), words.data(), config);
}

template <class T>
T command_of(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  if (const auto* usage = std::get_if<Usage>(&parsed)) FAIL(usage->text);
  const auto& line = std::get<CommandLine>(parsed);
  REQUIRE(std::holds_alternative<T>(line.command));
  return std::get<T>(line.command);
}

int usage_code(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  const auto* usage = std::get_if<Usage>(&parsed);
  if (usage == nullptr) return -1;
  CHECK_FALSE(usage->text.empty());
  return usage->code;
}

std::string usage_text(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  const auto* usage = std::get_if<Usage>(&parsed);
  return usage == nullptr ? std::string() : usage->text;
}

TEST_CASE("an unknown command is named, with those that there are", "[ctl][command_line]") {
  CHECK(usage_code({"frobnicate"}) == k_usage);
  CHECK(usage_text({"frobnicate"}).find("\"frobnicate\" is no command of slipwayctl; there are: token, node") != std::string::npos);
  CHECK(usage_text({"node", "lsit"}).find("\"lsit\" is no command of slipwayctl node; there are: list, get") != std::string::npos);
}

TEST_CASE("slipwayctl describes itself to shells and manuals", "[ctl][command_line]") {
  CHECK(usage_code({"completion", "bash"}) == k_ok);
  CHECK(usage_text({"completion", "bash"}).find("\" node list\") words=\"--help --all --watch") != std::string::npos);
  CHECK(usage_code({"completion", "tcsh"}) == k_usage);
  CHECK(usage_text({"manual-page"}).find(".SS \"slipwayctl token create\"") != std::string::npos);
  // A command that stands by itself and has one below it.
  for (const char* words : {"health", "health network"})
    CHECK(usage_text({"manual-page"}).find(".SS \"slipwayctl " + std::string(words) + "\"") != std::string::npos);
  CHECK(usage_text({"completion", "bash"}).find("\" health network\") words=\"--help --last\"") != std::string::npos);
  CHECK(usage_text({"--help"}).find("manual-page") == std::string::npos);
}

TEST_CASE("commands and their options", "[ctl][command_line]") {
  const auto create = command_of<TokenCreate>(
      {"token", "create", "--ttl", "15m", "--max-uses", "10", "--node", "n1", "--role", "master", "--quiet"});
  CHECK(create.ttl == "15m");
  CHECK(create.max_uses == 10);
  CHECK(create.node == "n1");
  CHECK(create.role == "master");
  CHECK(create.quiet);
  const auto plain = command_of<TokenCreate>({"token", "create"});
  CHECK(plain.ttl == "24h");
  CHECK(plain.max_uses == 1);
  CHECK(plain.role == "node");
  CHECK(command_of<TokenDelete>({"token", "delete", "abc123"}).id == "abc123");
  CHECK(command_of<NodeList>({"node", "list", "--all"}).all);
  CHECK(command_of<NodeGet>({"node", "get", "n1"}).name == "n1");
  CHECK(command_of<NodeDelete>({"node", "delete", "n1"}).name == "n1");
  CHECK_FALSE(command_of<NodeDelete>({"node", "delete", "n1"}).yes);
  CHECK(command_of<NodeDelete>({"node", "delete", "-y", "n1"}).yes);
  CHECK(command_of<NodeList>({"node", "list", "-w", "-l", "a=b"}).selector == "a=b");
  CHECK(command_of<OperatorCreate>({"operator", "create", "ada", "--role", "admin"}).role == "admin");
  CHECK(usage_code({"operator", "create", "ada", "--role", "king"}) == k_usage);
  const auto bound = command_of<TokenCreate>(
      {"token", "create", "--node", "web-*", "--pool", "gpu", "--from", "10.77.0.0/24", "--from", "10.78.0.1"});
  CHECK(bound.node == "web-*");
  CHECK(bound.pool == "gpu");
  CHECK(bound.sources == std::vector<std::string>{"10.77.0.0/24", "10.78.0.1"});
  const auto approve = command_of<NodeApprove>({"node", "approve", "n1", "--fingerprint", "9f86d081"});
  CHECK(approve.name == "n1");
  CHECK(approve.fingerprint == "9f86d081");
  CHECK(command_of<NodeDeny>({"node", "deny", "n1", "--reason", "not ours"}).reason == "not ours");
  const auto replace = command_of<NodeReplace>({"node", "replace", "n1", "--ttl", "2h", "-q"});
  CHECK(replace.ttl == "2h");
  CHECK(replace.quiet);
  CHECK(command_of<ClusterApply>({"cluster", "apply", "-f", "c.yaml"}).file == "c.yaml");
  const auto kube =
      command_of<ClusterKubeconfig>({"cluster", "kubeconfig", "-O", "k.conf", "--user", "alice"});
  CHECK(kube.file == "k.conf");
  CHECK(kube.user == "alice");
  const auto import =
      command_of<ArtifactImport>({"artifact", "import", "--component", "docker", "--version", "20.10.24",
                                  "--member", "docker/dockerd", "--member", "docker/runc", "d.tgz"});
  CHECK(import.file == "d.tgz");
  CHECK(import.component == "docker");
  CHECK(import.version == "20.10.24");
  CHECK(import.members == std::vector<std::string>{"docker/dockerd", "docker/runc"});
  const auto fetch = command_of<ArtifactFetch>({"artifact", "fetch", "--kubernetes", "v1.30.4", "--only", "kubelet,kube-proxy", "--arch", "arm64", "--dry-run",
                                               "--from", "https://mirror.example/k", "--etcd", "3.5.15", "--etcd-from", "https://mirror.example/e"});
  CHECK(fetch.kubernetes == "v1.30.4");
  CHECK(fetch.from == "https://mirror.example/k");
  CHECK(fetch.etcd_from == "https://mirror.example/e");
  CHECK(fetch.only == std::vector<std::string>{"kubelet", "kube-proxy"});
  CHECK(fetch.arch == "arm64");
  CHECK(fetch.dry_run);
  CHECK(command_of<ArtifactFetch>({"artifact", "fetch"}).from == "https://dl.k8s.io/release");
  command_of<PoolList>({"pool", "list"});
  const auto pool = command_of<PoolCreate>({"pool", "create", "gpu", "--range", "10.20.0.0/16", "--range", "10.21.0.0/16",
                                            "--node-prefix-length", "25", "--name-pattern", "gpu-*", "--only-by-name"});
  CHECK(pool.name == "gpu");
  CHECK(pool.ranges == std::vector<std::string>{"10.20.0.0/16", "10.21.0.0/16"});
  CHECK(pool.node_prefix_length == 25);
  CHECK(pool.only_by_name);
  CHECK(command_of<PoolGrow>({"pool", "grow", "gpu", "--range", "10.20.0.0/15"}).ranges.size() == 1);
  CHECK(command_of<PoolDrain>({"pool", "drain", "gpu", "--undo"}).undo);
  CHECK(command_of<PoolDelete>({"pool", "delete", "gpu"}).name == "gpu");
  CHECK(command_of<PoolHold>({"pool", "reserve", "10.20.3.0/24", "--note", "why"}).node.empty());
  CHECK(command_of<PoolHold>({"pool", "assign", "gpu-3", "10.20.3.0/24"}).node == "gpu-3");
  CHECK(command_of<PoolRelease>({"pool", "release", "10.20.3.0/24"}).block == "10.20.3.0/24");
  command_of<CertsStatus>({"certs", "status"});
  const auto rotate = command_of<CertsRotateCa>({"certs", "rotate-ca", "fabric", "--retire", "--force"});
  CHECK((rotate.kind == "fabric" && rotate.retire && rotate.force && !rotate.prepare && !rotate.yes));
  CHECK(command_of<CertsRotateCa>({"certs", "rotate-ca", "etcd", "--activate", "--yes"}).yes);
  command_of<CertsCheckExpiration>({"certs", "check-expiration"});
  CHECK(command_of<CertsCheckExpiration>({"certs", "check-expiration", "--node", "a", "--usage", "agent", "--within", "7d"}).within == "7d");
  CHECK(command_of<CertsRotate>({"certs", "rotate", "web-1"}).node == "web-1");
  CHECK(command_of<CertsRotate>({"certs", "rotate", "--all", "-o", "json"}).all);
  CHECK(command_of<TokenList>({"token", "list", "--role", "master", "--state", "valid"}).state == "valid");
  CHECK(command_of<PoolNodes>({"pool", "nodes", "gpu"}).name == "gpu");
  CHECK_FALSE(command_of<NodeCordon>({"node", "cordon", "web-1"}).undo);
  CHECK(command_of<NodeCordon>({"node", "uncordon", "web-1"}).undo);
  const auto drain = command_of<NodeDrain>({"node", "drain", "web-1", "--timeout", "90s", "--force", "--yes"});
  CHECK((drain.name == "web-1" && drain.timeout == "90s" && drain.force && drain.yes));
  CHECK(command_of<NodeDrain>({"node", "drain", "web-1"}).timeout == "5m");
  command_of<Health>({"health"});
  CHECK_FALSE(command_of<HealthNetwork>({"health", "network"}).last);
  CHECK(command_of<HealthNetwork>({"health", "network", "--last", "-o", "json"}).last);
  CHECK(usage_code({"health", "network", "--watch"}) == k_usage);
  CHECK(usage_code({"health", "netwrk"}) == k_usage);
  CHECK(command_of<Health>({"health", "-w"}).watch);
  CHECK(command_of<PoolList>({"pool", "list", "--watch"}).watch);
  CHECK(command_of<CertsStatus>({"certs", "status", "--watch"}).watch);
  const auto apply = command_of<ClusterApply>({"cluster", "apply", "-f", "c.yaml", "--wait", "--timeout", "90s", "--yes"});
  CHECK((apply.wait && apply.yes && !apply.dry_run && apply.timeout == "90s"));
  CHECK(command_of<ClusterApply>({"cluster", "apply", "-f", "c.yaml", "--dry-run"}).dry_run);
  CHECK(usage_code({"cluster", "apply", "-f", "c.yaml", "--wait", "--timeout", "soon"}) == k_usage);
  CHECK(command_of<UpgradePlan>({"upgrade", "plan"}).version.empty());
  CHECK(command_of<UpgradePlan>({"upgrade", "plan", "v1.31.1"}).version == "v1.31.1");
  const auto upgrade = command_of<UpgradeApply>({"upgrade", "apply", "v1.31.1", "--wait", "--timeout", "1h", "-y"});
  CHECK((upgrade.version == "v1.31.1" && upgrade.wait && upgrade.yes && !upgrade.dry_run && upgrade.timeout == "1h"));
  CHECK(command_of<UpgradeApply>({"upgrade", "apply", "v1.31.1", "--dry-run"}).timeout == "30m");
  CHECK(usage_code({"upgrade", "apply"}) == k_usage);
  CHECK_FALSE(command_of<UpgradePause>({"upgrade", "pause"}).undo);
  CHECK(command_of<UpgradePause>({"upgrade", "resume"}).undo);
  CHECK(command_of<UpgradeStatus>({"upgrade", "status", "-w"}).watch);
  CHECK(command_of<TokenDelete>({"token", "delete", "abc123", "-y"}).yes);
  CHECK(command_of<NodeDeny>({"node", "deny", "n1", "--yes"}).yes);
  CHECK(command_of<PoolGrow>({"pool", "grow", "gpu", "--range", "10.20.0.0/15", "--yes"}).yes);
  CHECK(command_of<PoolDrain>({"pool", "drain", "gpu", "--yes"}).yes);
  CHECK(command_of<PoolDelete>({"pool", "delete", "gpu", "--yes"}).yes);
}

TEST_CASE("global options stand before or after the command", "[ctl][command_line]") {
  for (const auto& words : {std::vector<const char*>{"-o", "json", "--config", "c", "node", "list"},
                            {"node", "list", "-o", "json", "--config", "c"}}) {
    const auto parsed = parse(words, "from-environment");
    REQUIRE(std::holds_alternative<CommandLine>(parsed));
    CHECK(std::get<CommandLine>(parsed).format == Format::json);
    CHECK(std::get<CommandLine>(parsed).config == "c");
  }
  CHECK(std::get<CommandLine>(parse({"health"})).config == "/etc/slipway/admin.conf");
  CHECK(std::get<CommandLine>(parse({"health"}, "env.conf")).config == "env.conf");
}

TEST_CASE("mistakes are code 3 with a text, help and version are 0", "[ctl][command_line]") {
  CHECK(usage_code({}) == k_usage);
  CHECK(usage_code({"frobnicate"}) == k_usage);
  CHECK(usage_code({"token"}) == k_usage);
  CHECK(usage_code({"token", "delete"}) == k_usage);
  CHECK(usage_code({"token", "create", "--max-uses", "many"}) == k_usage);
  CHECK(usage_code({"token", "create", "--role", "king"}) == k_usage);
  CHECK(usage_code({"node", "list", "-o", "xml"}) == k_usage);
  CHECK(usage_code({"pool", "create", "gpu"}) == k_usage);
  CHECK(usage_code({"certs", "rotate"}) == k_usage);
  CHECK(usage_code({"certs", "rotate", "web-1", "--all"}) == k_usage);
  CHECK(usage_code({"token", "list", "--state", "new"}) == k_usage);
  CHECK(usage_code({"--help"}) == k_ok);
  CHECK(usage_code({"token", "create", "--help"}) == k_ok);
  CHECK(usage_code({"--version"}) == k_ok);
}

}  // namespace
}  // namespace slipway::ctl
