#include "coordinator/ctl/command_line.hpp"

#include <map>
#include <memory>
#include <sstream>

#include "common/cli/manual.hpp"
#include "coordinator/ctl/command_line_parts.hpp"
#include "slipway_version.hpp"

namespace slipway::ctl {

namespace {

void add_token(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "token", "join tokens");
  auto [create, options] =
      add_command<TokenCreate>(group, line, "create", "make a join token and print the join command");
  create->add_option("--ttl", options->ttl, "life of the token, such as 90s, 15m, 24h, 7d")
      ->capture_default_str();
  create->add_option("--max-uses", options->max_uses, "how many nodes may join with it")
      ->capture_default_str();
  create->add_option("--node", options->node, "only for the node of this name, or for names such as web-*");
  create->add_option("--pool", options->pool, "pool that its nodes get their pod ranges from");
  create->add_option("--from", options->sources,
                     "only for nodes with addresses in this range, such as 10.77.0.0/24; may be given several times");
  create->add_option("--role", options->role, "what it admits")
      ->check(CLI::IsMember({"node", "master"}))
      ->capture_default_str();
  create->add_flag("--quiet,-q", options->quiet, "print the token and nothing else");
  auto [list, listed] = add_command<TokenList>(group, line, "list", "list join tokens, without their secrets");
  list->add_option("--role", listed->role, "only tokens that admit this")->check(CLI::IsMember({"node", "master"}));
  list->add_option("--state", listed->state, "only tokens in this state")->check(CLI::IsMember({"valid", "expired", "used-up"}));
  auto [remove, removed] = add_command<TokenDelete>(group, line, "delete", "delete a join token");
  remove->add_option("ID", removed->id, "the token's id, the six letters before the dot")->required();
  add_yes(*remove, removed->yes);
}

void add_decisions(CLI::App& group, CommandLine& line) {
  auto [approve, approved] =
      add_command<NodeApprove>(group, line, "approve", "let a waiting host become a node (admission: manual)");
  approve->add_option("NAME", approved->name, "name of the node")->required();
  approve->add_option("--fingerprint", approved->fingerprint,
                      "only the host whose key has this fingerprint, or one that starts so");
  auto [deny, denied] = add_command<NodeDeny>(group, line, "deny", "refuse a waiting host");
  deny->add_option("NAME", denied->name, "name of the node")->required();
  deny->add_option("--reason", denied->reason, "told to the host");
  add_yes(*deny, denied->yes);
  auto [replace, replaced] = add_command<NodeReplace>(
      group, line, "replace",
      "let another host take a node's place, dead or alive: the old identity ends now, name and pod range stay");
  replace->add_option("NAME", replaced->name, "name of the node")->required();
  replace->add_option("--ttl", replaced->ttl, "life of the token for the new host")->capture_default_str();
  replace->add_flag("--quiet,-q", replaced->quiet, "print the token and nothing else");
  add_yes(*replace, replaced->yes);
}

void add_drain(CLI::App& group, CommandLine& line) {
  auto [cordon, cordoned] = add_command<NodeCordon>(group, line, "cordon", "put no new pods on a node; those that it has stay");
  cordon->add_option("NAME", cordoned->name, "name of the node")->required();
  auto [uncordon, freed] = add_command<NodeCordon>(group, line, "uncordon", "put pods on a node again");
  uncordon->add_option("NAME", freed->name, "name of the node")->required();
  freed->undo = true;
  auto [drain, drained] = add_command<NodeDrain>(
      group, line, "drain",
      "cordon a node and evict its pods, but for those of DaemonSets and of the kubelet itself; PodDisruptionBudgets are respected. "
      "Local data of pods (emptyDir) is lost");
  drain->add_option("NAME", drained->name, "name of the node")->required();
  drain->add_option("--timeout", drained->timeout, "how long to try; the node stays cordoned")->capture_default_str();
  drain->add_flag("--force", drained->force, "also a master, and pods that nothing makes anew elsewhere");
  add_yes(*drain, drained->yes);
}

void add_config_of_node(CLI::App& group, CommandLine& line) {
  auto [config, wish] = add_command<NodeConfig>(group, line, "config", "show a node's settings and where each comes from, or set its own");
  config->add_option("NAME", wish->name, "name of the node")->required();
  config->add_flag("--diff", wish->diff, "show what differs from what the node runs with now");
  CLI::Option* const file = config->add_option("--file,-f", wish->file, "YAML with kubelet, kubeProxy, labels and taints: the node's own settings from now on");
  config->add_flag("--clear", wish->clear, "the node has no settings of its own from now on")->excludes(file);
  add_yes(*config, wish->yes);
}

void add_node(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "node", "nodes");
  auto [list, listed] = add_command<NodeList>(group, line, "list", "list the nodes");
  list->add_flag("--all,-a", listed->all, "also show who waits for approval, and attempts to join with the true reason and the cure");
  list->add_flag("--watch,-w", listed->watch, "go on showing changes as they come; with --all look again every two seconds");
  list->add_option("--role", listed->role, "only nodes of this role")->check(CLI::IsMember({"node", "master"}));
  list->add_option("--phase", listed->phase, "only nodes in this phase, such as Running");
  list->add_option("--selector,-l", listed->selector, "only nodes whose labels match, as kubectl has it");
  auto [get, got] = add_command<NodeGet>(group, line, "get", "show one node with conditions and components");
  get->add_option("NAME", got->name, "name of the node")->required();
  auto [remove, removed] =
      add_command<NodeDelete>(group, line, "delete", "remove a node for good, dead or alive");
  remove->add_option("NAME", removed->name, "name of the node")->required();
  add_yes(*remove, removed->yes);
  add_drain(group, line);
  add_config_of_node(group, line);
  add_decisions(group, line);
}

void add_pool_changes(CLI::App& group, CommandLine& line) {
  auto [create, made] = add_command<PoolCreate>(group, line, "create", "make a pool of pod addresses, IPv4 or IPv6");
  create->add_option("NAME", made->name, "name of the pool")->required();
  create->add_option("--range", made->ranges, "such as 10.20.0.0/16; may be given several times")->required();
  create->add_option("--node-prefix-length", made->node_prefix_length,
                     "size of a node's block; 24 for IPv4 and 64 for IPv6 when absent");
  create->add_option("--role", made->role, "only for nodes of this role")->check(CLI::IsMember({"node", "master"}));
  create->add_option("--name-pattern", made->name_pattern, "only for nodes with such names, as in 'gpu-*'");
  create->add_flag("--only-by-name", made->only_by_name, "only for joins whose token names the pool");
  auto [grow, grown] = add_command<PoolGrow>(
      group, line, "grow", "add ranges to a pool, or give it a wider one that contains one of its own");
  grow->add_option("NAME", grown->name, "name of the pool")->required();
  grow->add_option("--range", grown->ranges, "such as 10.20.0.0/15; may be given several times");
  grow->add_option("--node-prefix-length", grown->node_prefix_length, "size of blocks from now on");
  add_yes(*grow, grown->yes);
  auto [drain, drained] =
      add_command<PoolDrain>(group, line, "drain", "give out no more blocks of a pool; who is there stays");
  drain->add_option("NAME", drained->name, "name of the pool")->required();
  drain->add_flag("--undo", drained->undo, "give out blocks again");
  add_yes(*drain, drained->yes);
  auto [remove, removed] = add_command<PoolDelete>(group, line, "delete", "delete an empty pool");
  remove->add_option("NAME", removed->name, "name of the pool")->required();
  add_yes(*remove, removed->yes);
}

void add_pool(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "pool", "pools of pod addresses");
  auto [list, listed] = add_command<PoolList>(group, line, "list", "list the pools with their use and forecast");
  add_watch(*list, listed->watch);
  auto [get, got] = add_command<PoolGet>(group, line, "get", "show one pool and what is reserved in it");
  get->add_option("NAME", got->name, "name of the pool")->required();
  auto [nodes, housing] = add_command<PoolNodes>(group, line, "nodes", "list the nodes that live in a pool, with their blocks");
  nodes->add_option("NAME", housing->name, "name of the pool")->required();
  add_pool_changes(group, line);
  auto [reserve, reserved] = add_command<PoolHold>(group, line, "reserve", "keep a block that nobody gets");
  reserve->add_option("BLOCK", reserved->block, "such as 10.20.3.0/24")->required();
  reserve->add_option("--note", reserved->note, "why, for others");
  auto [assign, assigned] =
      add_command<PoolHold>(group, line, "assign", "keep a block for a node, which gets it when it joins");
  assign->add_option("NODE", assigned->node, "name of the node")->required();
  assign->add_option("BLOCK", assigned->block, "such as 10.20.3.0/24")->required();
  assign->add_option("--note", assigned->note, "why, for others");
  auto [release, released] =
      add_command<PoolRelease>(group, line, "release", "end a reservation or an assignment");
  release->add_option("BLOCK", released->block, "as it was reserved or assigned")->required();
}

void add_cluster(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "cluster", "the cluster and its settings");
  add_command<ClusterGet>(group, line, "get", "show the cluster's settings and capacity");
  auto [apply, applied] = add_command<ClusterApply>(group, line, "apply", "change the cluster's settings");
  apply->add_option("-f,--file", applied->file, "cluster.yaml")->required();
  apply->add_flag("--dry-run", applied->dry_run, "have everything checked and show what would change; change nothing");
  add_wait(*apply, applied->wait, applied->timeout, "wait until all live nodes have applied it");
  add_yes(*apply, applied->yes);
  auto [config, kube] = add_command<ClusterKubeconfig>(
      group, line, "kubeconfig", "make a kubeconfig for kubectl, for 12 hours at most; its key never leaves this machine");
  config->add_option("-O,--output-file", kube->file,
                     "where to write it, mode 0600; standard output when absent");
  config->add_option("--user", kube->user, "name of the user")->capture_default_str();
}

void add_manifest(CLI::App& artifacts, CommandLine& line) {
  auto [keygen, made] = add_command<ArtifactKeygen>(artifacts, line, "keygen", "make a signer's key: the private one into a file, the public one to standard output");
  keygen->add_option("FILE", made->file, "where the private key goes, mode 0600; keep it off the cluster")->required();
  CLI::App& group = *add_group(artifacts, "manifest", "the signed list of what agents may install");
  auto [create, created] = add_command<ManifestCreate>(group, line, "create", "write a list of the cluster's artifacts, to be read and signed");
  create->add_option("FILE", created->file, "file to write")->required();
  create->add_option("--number", created->number, "its number; one more than the cluster's when absent");
  create->add_option("--valid-for", created->valid_for, "how long anything new is installed on its word")->capture_default_str();
  create->add_option("--new-signer", created->signers, "public key of who signs the ones after it; may be given several times");
  create->add_option("--new-threshold", created->threshold, "how many of the new signers must")->capture_default_str();
  auto [sign, signing] = add_command<ManifestSign>(group, line, "sign", "sign a list; needs no coordinator");
  sign->add_option("FILE", signing->file, "the list; the signature is added to it")->required();
  sign->add_option("--key", signing->key_file, "file of the private key")->required();
  auto [verify, verified] = add_command<ManifestVerify>(group, line, "verify", "check a list as agents do; needs no coordinator");
  verify->add_option("FILE", verified->file, "the list")->required();
  verify->add_option("--signer", verified->signers, "public key that counts; may be given several times")->required();
  verify->add_option("--threshold", verified->threshold, "how many of them must have signed")->capture_default_str();
  auto [put, handed] = add_command<ManifestPut>(group, line, "put", "hand a signed list to the coordinator");
  put->add_option("FILE", handed->file, "the list")->required();
  add_command<ManifestGet>(group, line, "get", "show the list that the coordinator has");
}

void add_fetch(CLI::App& group, CommandLine& line) {
  auto [fetch, wish] = add_command<ArtifactFetch>(
      group, line, "fetch",
      "download releases from the sites of their projects, or from one laid out like them, and import what has the published SHA-256");
  fetch->add_option("--kubernetes", wish->kubernetes, "Kubernetes' programs of this version, such as v1.30.4");
  fetch->add_option("--from", wish->from, "where Kubernetes is: FROM/vX.Y.Z/bin/linux/ARCH/kubelet, with kubelet.sha256 beside it")->capture_default_str();
  fetch->add_option("--containerd", wish->containerd, "containerd of this version, such as 1.7.22");
  fetch->add_option("--containerd-from", wish->containerd_from, "where containerd's releases are")->capture_default_str();
  fetch->add_option("--runc", wish->runc, "runc of this version");
  fetch->add_option("--runc-from", wish->runc_from, "where runc's releases are")->capture_default_str();
  fetch->add_option("--cni-plugins", wish->cni_plugins, "the CNI plugins of this version");
  fetch->add_option("--cni-plugins-from", wish->cni_plugins_from, "where the CNI plugins' releases are")->capture_default_str();
  fetch->add_option("--etcd", wish->etcd, "etcd of this version");
  fetch->add_option("--etcd-from", wish->etcd_from, "where etcd's releases are")->capture_default_str();
  fetch->add_option("--only", wish->only, "only these components, such as kubelet,kube-proxy; kubectl goes with --to alone")->delimiter(',');
  fetch->add_option("--arch", wish->arch, "amd64, arm64, ... of the hosts; this machine's when absent");
  fetch->add_option("--to", wish->to, "keep the files in this folder instead of importing them; no coordinator is asked");
  fetch->add_option("--ca-file", wish->ca_file, "PEM file of the CAs to trust for https, instead of the host's own list");
  fetch->add_option("--timeout", wish->timeout, "how long all of it may take")->capture_default_str();
  fetch->add_flag("--dry-run", wish->dry_run, "read the checksums, and only tell what would be downloaded");
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
  add_fetch(group, line);
  add_command<ArtifactList>(group, line, "list", "list the artifacts");
  auto [remove, removed] = add_command<ArtifactDelete>(group, line, "delete", "forget an artifact that the cluster does not ask for");
  remove->add_option("COMPONENT", removed->component, "such as kubelet")->required();
  remove->add_option("VERSION", removed->version, "such as 1.20.2")->required();
  add_yes(*remove, removed->yes);
  auto [collect, collected] = add_command<ArtifactCollect>(group, line, "gc", "remove content that no artifact names");
  collect->add_option("--min-age", collected->min_age, "leave what was uploaded within this time")->capture_default_str();
  collect->add_flag("--dry-run", collected->dry_run, "only tell what would be removed");
  add_yes(*collect, collected->yes);
  add_manifest(group, line);
}

void add_operator(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "operator", "people who may ask the coordinator");
  auto [create, created] = add_command<OperatorCreate>(
      group, line, "create", "make credentials for an operator; the key never leaves this machine");
  create->add_option("NAME", created->user, "name of the operator")->required();
  create->add_option("--role", created->role, "viewer may read, operator may change nodes and tokens, admin all")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->capture_default_str();
  create->add_option("-O,--output-file", created->file, "where to write it, mode 0600; standard output when absent");
  add_command<OperatorList>(group, line, "list", "list the operators' certificates");
  auto [revoke, revoked] =
      add_command<OperatorRevoke>(group, line, "revoke", "end all certificates of an operator at once; kube-apiserver takes a kubeconfig until its end");
  revoke->add_option("NAME", revoked->user, "name of the operator")->required();
  add_yes(*revoke, revoked->yes);
}

void add_config(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "config", "the clusters of the configuration file");
  add_command<ConfigGetContexts>(group, line, "get-contexts", "list the clusters of the configuration");
  add_command<ConfigCurrentContext>(group, line, "current-context", "show which cluster is meant without --cluster");
  auto [use, used] =
      add_command<ConfigUseContext>(group, line, "use-context", "mean this cluster from now on");
  use->add_option("NAME", used->name, "name of the cluster")->required();
}

// What slipwayctl tells of itself, from this description of its commands.
struct SelfDescription {
  CLI::App* completion = nullptr;
  CLI::App* manual = nullptr;
  std::string shell;
};

void add_self_description(CLI::App& app, SelfDescription& self) {
  self.completion = app.add_subcommand("completion", "print a script that completes commands in your shell");
  self.completion->add_option("SHELL", self.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  self.manual = app.add_subcommand("manual-page", "print the manual page")->group("");
}

cli::ManualFrame manual_frame() {
  cli::ManualFrame frame;
  frame.section = 1;
  frame.version = k_version;
  frame.purpose = "look after Slipway's Kubernetes clusters";
  frame.description = {
      "slipwayctl asks the coordinator of a cluster over mutual TLS: tokens for hosts that are to join, nodes, "
      "settings, artifacts, certificates, operators and health.",
      "Results go to standard output as a table, or as JSON or YAML with -o; errors go to standard error and say "
      "what failed, at which stage, and the cure."};
  frame.exit_codes = {
      {"0", "all went well"},
      {"1",
       "an error; of health: something is not well; of health network: a pair fails, or no node took part; of upgrade plan and apply: "
       "something speaks against the version, or a node has failed with it"},
      {"3", "wrong usage, or a value that the coordinator refused"},
      {"5", "denied: the certificate is unknown, revoked or has too small a role"},
      {"6", "no answer in time, or what --wait waits for did not come within --timeout"}};
  frame.environment = {{"SLIPWAYCTL_CONFIG", "the configuration to use without --config"}};
  frame.files = {{"/etc/slipway/admin.conf", "clusters and credentials, mode 0600; may hold several clusters"}};
  frame.see_also = {"slipway-coordinator(8)", "slipway-agent(8)"};
  return frame;
}

void add_audit(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "audit", "who did what: the hash-chained log");
  auto [list, options] = add_command<AuditList>(group, line, "list", "list audit records, newest first");
  list->add_option("--limit", options->limit, "how many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  list->add_option("--node", options->node, "only of this node");
  list->add_option("--action", options->action, "only this action, such as node.join; node. takes all that begin so");
  list->add_option("--certificate", options->certificate,
                   "only where this certificate was issued: SHA-256 as kube-apiserver logs it, serial or key hash");
  add_command<AuditVerify>(group, line, "verify",
                           "read the whole log and name what was changed, deleted or cut; exits with 1 when something was");
}

void add_certs(CLI::App& app, CommandLine& line) {
  CLI::App& certs = *add_group(app, "certs", "certificates and their authorities");
  auto [check, checked] = add_command<CertsCheckExpiration>(certs, line, "check-expiration",
                                                            "list all certificates with their residual time");
  check->add_option("--node", checked->node, "only those of this node, operator or component");
  check->add_option("--usage", checked->usage, "only those of this usage, such as kubeletServing");
  check->add_option("--within", checked->within, "only those that end within this time, such as 7d");
  auto [renew, renewed] = add_command<CertsRotate>(certs, line, "rotate", "let a node, or all of them, renew their certificates now");
  renew->add_option("NODE", renewed->node, "name of the node");
  renew->add_flag("--all", renewed->all, "all nodes, spread over a while");
  renew->require_option(1);  // one or all
  auto [list, listed] = add_command<CertsList>(certs, line, "list", "list certificates");
  list->add_flag("--revoked", listed->revoked, "those of removed nodes and revoked operators, and until when others still take them");
  auto [status, shown] = add_command<CertsStatus>(certs, line, "status", "show the authorities, and how far the replacement of one is");
  add_watch(*status, shown->watch);
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
  add_wait(*rotate, options->wait, options->timeout, "with --prepare: wait until all nodes trust both");
  add_yes(*rotate, options->yes);
}

void add_health(CLI::App& app, CommandLine& line) {
  CLI::App* const health =
      app.add_subcommand("health", "check the whole cluster; exits with 1 when something is not well");
  health->fallthrough();
  const auto options = std::make_shared<Health>();
  add_watch(*health, options->watch);
  auto [network, probed] = add_command<HealthNetwork>(
      *health, line, "network",
      "let all nodes ping each other and each other's pods, up to the MTU, and name for each pair that fails "
      "the likely cause and the cure; exits with 1 when one fails");
  network->add_flag("--last", probed->last, "show what the last one found, and start none");
  // CLI11 calls the command that stands before last.
  health->callback([&line, network = network, options] {
    if (!network->parsed())
      line.command = *options;
    else if (options->watch)
      throw CLI::ValidationError("--watch", "a probe of the network is not repeated");
  });
}

void add_plan(CLI::App& app, CommandLine& line) {
  auto [plan, options] = add_command<Plan>(
      app, line, "plan", "propose the address ranges of a cluster that is to be, with the arithmetic, as a piece of cluster.yaml; asks no coordinator");
  plan->add_option("--nodes", options->nodes, "how many nodes there will be")->required();
  plan->add_option("--pods", options->pods, "how many pods a node runs at most")->capture_default_str();
  plan->add_option("--services", options->services, "how many services there will be")->capture_default_str();
  plan->add_option("--growth", options->growth, "for how many more nodes there is to be room, in percent")->capture_default_str();
  plan->add_flag("--tight", options->tight, "give a node no more addresses than its pods need; otherwise two for each");
  plan->add_option("--avoid", options->avoid, "a range to keep clear of, such as the hosts' network; may be given several times")->delimiter(',');
  plan->add_option("--ipv6", options->ipv6, "also an IPv6 pool, cut from this range: one of your own, such as a /48");
}

void add_all(CLI::App& app, CommandLine& line) {
  add_token(app, line);
  add_node(app, line);
  add_pool(app, line);
  add_cluster(app, line);
  add_upgrade(app, line);
  add_artifact(app, line);
  add_certs(app, line);
  add_operator(app, line);
  add_config(app, line);
  add_audit(app, line);
  add_health(app, line);
  add_plan(app, line);
  auto [support, made] = add_command<Support>(app, line, "support", "gather what the coordinator tells in an archive, without secrets (of a host: slipway-agent support there)");
  support->add_option("-O,--output-file", made->file, "archive to make; default: a name with the time, in the present folder");
}

// A word where a command should stand: CLI11 would only say that a command is missing.
std::string unknown_command(const CLI::App& app) {
  const CLI::App* at = &app;
  std::string path = app.get_name();
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  const auto known = at->get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
  const std::vector<std::string> left = app.remaining(true);
  if (known.empty() || left.empty() || left.front().starts_with('-')) return {};
  std::string names;
  for (const CLI::App* sub : known) names += (names.empty() ? "" : ", ") + sub->get_name();
  return "slipwayctl: \"" + left.front() + "\" is no command of " + path + "; there are: " + names + "\n";
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
  app.add_option("--cluster,--context", line.cluster, "which cluster of the configuration");
  app.add_option("-o,--output", format, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}));
  add_all(app, line);
  SelfDescription self;
  add_self_description(app, self);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    if (std::string unknown = unknown_command(app); !unknown.empty()) return Usage{k_usage, std::move(unknown)};
    const int code = app.exit(error, out, err);
    return Usage{code == 0 ? k_ok : k_usage, out.str() + err.str()};
  }
  if (self.completion->parsed()) return Usage{k_ok, cli::completion(app, self.shell)};
  if (self.manual->parsed()) return Usage{k_ok, cli::manual_page(app, manual_frame())};
  static const std::map<std::string, Format> formats = {
      {"table", Format::table}, {"wide", Format::wide}, {"json", Format::json}, {"yaml", Format::yaml}};
  line.format = formats.find(format)->second;
  return line;
}

}  // namespace slipway::ctl
