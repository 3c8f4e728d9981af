#include "coordinator/ctl/command_line.hpp"

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <sstream>

#include "slipway_version.hpp"

namespace slipway::ctl {

namespace {

// Adds a subcommand whose options land in a T that becomes the command when it is chosen.
template <class T>
std::pair<CLI::App*, T*> add_command(CLI::App& parent, CommandLine& line, const char* name,
                                     const char* help) {
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->fallthrough();  // global options are taken after the subcommand too
  auto options = std::make_shared<T>();
  sub->callback([&line, options] { line.command = *options; });
  return {sub, options.get()};
}

CLI::App* add_group(CLI::App& app, const char* name, const char* help) {
  CLI::App* group = app.add_subcommand(name, help);
  group->require_subcommand(1);
  group->fallthrough();
  return group;
}

void add_token(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "token", "join tokens");
  auto [create, options] =
      add_command<TokenCreate>(group, line, "create", "make a join token and print the join command");
  create->add_option("--ttl", options->ttl, "life of the token, such as 90s, 15m, 24h, 7d")
      ->capture_default_str();
  create->add_option("--max-uses", options->max_uses, "how many nodes may join with it")
      ->capture_default_str();
  create->add_option("--node", options->node, "only for the node of this name");
  create->add_option("--role", options->role, "what it admits")
      ->check(CLI::IsMember({"node", "master"}))
      ->capture_default_str();
  create->add_flag("--quiet,-q", options->quiet, "print the token and nothing else");
  add_command<TokenList>(group, line, "list", "list join tokens, without their secrets");
  auto [remove, removed] = add_command<TokenDelete>(group, line, "delete", "delete a join token");
  remove->add_option("ID", removed->id, "the token's id, the six letters before the dot")->required();
}

void add_node(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "node", "nodes");
  auto [list, listed] = add_command<NodeList>(group, line, "list", "list the nodes");
  list->add_flag("--all,-a", listed->all, "also show refused attempts to join, with the true reason");
  auto [get, got] = add_command<NodeGet>(group, line, "get", "show one node with conditions and components");
  get->add_option("NAME", got->name, "name of the node")->required();
  auto [remove, removed] =
      add_command<NodeDelete>(group, line, "delete", "remove a node for good, dead or alive");
  remove->add_option("NAME", removed->name, "name of the node")->required();
}

void add_cluster(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "cluster", "the cluster and its settings");
  add_command<ClusterGet>(group, line, "get", "show the cluster's settings and capacity");
  auto [apply, applied] = add_command<ClusterApply>(group, line, "apply", "change the cluster's settings");
  apply->add_option("-f,--file", applied->file, "cluster.yaml")->required();
  auto [config, kube] = add_command<ClusterKubeconfig>(
      group, line, "kubeconfig", "make a kubeconfig for kubectl; its key never leaves this machine");
  config->add_option("-O,--output-file", kube->file,
                     "where to write it, mode 0600; standard output when absent");
  config->add_option("--user", kube->user, "name of the user")->capture_default_str();
}

void add_artifact(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "artifact", "binaries for the hosts");
  auto [import, options] = add_command<ArtifactImport>(
      group, line, "import", "import a file, a tar archive, members of one, or a Kubernetes release tarball");
  import->add_option("FILE", options->file, "file to import")->required();
  import->add_option("--component", options->component,
                     "such as kubelet; a Kubernetes release tarball needs none");
  import->add_option("--version", options->version, "such as 1.20.2");
  import->add_option("--member", options->members,
                     "import this member of the archive; may be given several times");
  import->add_option("--format", options->format, "file or tar; by the file's name when absent")
      ->check(CLI::IsMember({"file", "tar"}));
  add_command<ArtifactList>(group, line, "list", "list the artifacts");
}

void add_certs(CLI::App& app, CommandLine& line) {
  CLI::App& certs = *add_group(app, "certs", "certificates and their authorities");
  add_command<CertsCheckExpiration>(certs, line, "check-expiration",
                                    "list all certificates with their residual time");
  add_command<CertsStatus>(certs, line, "status",
                           "show the authorities, and how far the replacement of one is");
  auto [rotate, options] = add_command<CertsRotateCa>(
      certs, line, "rotate-ca",
      "replace an authority step by step: --prepare, --activate, --retire; --abort takes back until the retire");
  rotate->add_option("KIND", options->kind, "which authority")
      ->required()
      ->check(CLI::IsMember({"fabric", "kubeClient", "kubeletServing", "apiserver", "frontProxy", "etcd"}));
  CLI::Option_group* step = rotate->add_option_group("step", "what to do");
  step->add_flag("--prepare", options->prepare, "make a new one and let all nodes trust it besides the old one");
  step->add_flag("--activate", options->activate, "when all nodes trust both: sign by the new one, renew all certificates");
  step->add_flag("--retire", options->retire, "when nothing needs the old one: trust it no more, delete its key");
  step->add_flag("--abort", options->abort, "go back to the old one");
  step->require_option(1);
  rotate->add_flag("--force", options->force, "with --retire: although certificates or tokens still need it");
  rotate->add_flag("--import", options->from_files,
                   "with --prepare: take KIND-ca.crt and KIND-ca.key from the coordinator's folder import");
}

void add_all(CLI::App& app, CommandLine& line) {
  add_token(app, line);
  add_node(app, line);
  add_cluster(app, line);
  add_artifact(app, line);
  add_certs(app, line);
  add_command<Health>(app, line, "health",
                      "check the whole cluster; exits with 1 when something is not well");
}

}  // namespace

std::variant<CommandLine, Usage> parse_command_line(int argc, const char* const* argv,
                                                    const std::string& default_config) {
  CommandLine line;
  if (!default_config.empty()) line.config = default_config;
  std::string format = "table";
  CLI::App app("slipwayctl: one cluster or many, from an operator's machine", "slipwayctl");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("slipwayctl ") + k_version);
  app.add_option("--config", line.config, "configuration with clusters and credentials ($SLIPWAYCTL_CONFIG)")
      ->capture_default_str();
  app.add_option("--cluster", line.cluster, "which cluster of the configuration");
  app.add_option("-o,--output", format, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}));
  add_all(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    return Usage{code == 0 ? k_ok : k_usage, out.str() + err.str()};
  }
  static const std::map<std::string, Format> formats = {
      {"table", Format::table}, {"wide", Format::wide}, {"json", Format::json}, {"yaml", Format::yaml}};
  line.format = formats.find(format)->second;
  return line;
}

}  // namespace slipway::ctl
