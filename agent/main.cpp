// slipway-agent: makes a host a node of its cluster and keeps it one.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>

#include "agent/app.hpp"
#include "agent/config.hpp"
#include "agent/exit_codes.hpp"
#include "agent/join_command.hpp"
#include "agent/local_commands.hpp"
#include "agent/preflight_command.hpp"
#include "agent/preflight_fix.hpp"
#include "agent/process/host_units.hpp"
#include "agent/process/pod_stop.hpp"
#include "agent/reset_command.hpp"
#include "common/cli/manual.hpp"
#include "common/files/tree.hpp"
#include "common/log/log.hpp"
#include "common/systemd/journal_log.hpp"
#include "slipway_version.hpp"

namespace {

using namespace slipway;

int fail(const Error& error) {
  std::cerr << "slipway-agent: " << error.message << "\n";
  return error.code == Errc::invalid ? k_usage : k_error;
}

// Of --check: nothing but the settings is read, so that anybody may who may read them.
int check_settings(const std::string& config_file) {
  const auto config = load_agent_config(config_file);
  if (!config) return fail(config.error());
  std::cout << config_file << " and its drop-ins are in order: node " << config->node_name << "\n";
  return k_ok;
}

int run(const std::string& config_file, bool check) {
  if (check) return check_settings(config_file);
  auto config = load_agent_config(config_file);
  if (!config) return fail(config.error());
  if (auto ready = log::setup("slipway-agent", config->log_level); !ready) return fail(ready.error());
  systemd::log_to_journal();
  const Status ended = run_agent(*config);
  if (ended) return k_ok;
  log::error("the agent ends", {{"error", ended.error()}});
  return k_error;
}

// Errors and warnings go to standard error; `ignore` is a list of names, separated by commas.
int look_first(const PreflightOptions& options) {
  const auto findings = run_preflight(options);
  if (!findings) return fail(findings.error());
  const bool silent = std::all_of(findings->begin(), findings->end(), [](const Finding& f) { return f.severity == Severity::ok; });
  if (!silent) std::cerr << preflight_text(preflight_report(*findings));
  if (!refuses(*findings)) return k_ok;
  std::cerr << "slipway-agent: nothing was changed. Mend what is named above, or pass over it: --ignore-preflight-errors NAME,...\n";
  return k_preflight;
}

int join(JoinOptions& options, const std::vector<std::string>& ignore) {
  auto look = look_of_join(options, STDIN_FILENO);
  if (!look) return fail(look.error());
  look->ignore = ignore;
  if (const int found = look_first(*look); found != k_ok) return found;
  if (auto written = write_join_config(options); !written) return fail(written.error());
  std::cout << "wrote " << options.config_file << " and " << options.token_copy << "\n";
  if (!options.start) return k_ok;
  if (!systemd_runs()) {
    std::cout << what_to_start(options.config_file) << "\n";
    return k_ok;
  }
  if (auto ready = log::setup("slipway-agent", "warning"); !ready) return fail(ready.error());
  if (auto started = start_agent_unit(); !started) return fail(started.error());
  std::cout << "slipway-agent.service runs and joins now; see how it goes with: slipway-agent status\n";
  return k_ok;
}

void add_output(CLI::App& app, LocalOptions& options) {
  app.add_option("-o,--output", options.output, "table, wide, json or yaml")->check(CLI::IsMember({"table", "wide", "json", "yaml"}))->capture_default_str();
  app.add_option("--socket", options.socket, "where the agent listens")->capture_default_str();
  app.add_option("--config", options.config_file, "configuration file")->capture_default_str();
}

// What needs no decision, before the looking.
Status mend_first(const std::string& config_file) {
  PreflightOptions options;
  if (path_exists(config_file)) {
    auto config = load_agent_config(config_file);
    if (!config) return config.error();
    options = preflight_options(*config);
  }
  const auto fixed = fix_preflight(options.data_dir);
  if (!fixed) return fixed.error();
  for (const std::string& what : *fixed) std::cerr << "fixed: " << what << "\n";
  return {};
}

int preflight_now(const LocalOptions& options, bool fix) {
  if (fix) {
    if (const Status mended = mend_first(options.config_file); !mended) return fail(mended.error());
  }
  return preflight_command(options);
}

bool agrees() {
  std::cerr << "This stops all pods of this host and removes what Slipway put there: container images and, on a master, etcd's data included. Go on? [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int reset(const ResetOptions& options, const std::string& output, bool yes) {
  if (::geteuid() != 0) return fail(make_error(Errc::denied, "reset needs root; use sudo"));
  if (!options.dry_run && !yes) {
    if (::isatty(STDIN_FILENO) == 0) return fail(make_error(Errc::invalid, "nobody can be asked here: see what would be done with --dry-run, then give --yes"));
    if (!agrees()) return fail(make_error(Errc::canceled, "nothing was changed"));
  }
  if (auto ready = log::setup("slipway-agent", "error"); !ready) return fail(ready.error());
  const auto result = run_reset(options, [](const std::string& step) { std::cerr << step << "\n"; });
  if (!result) return fail(result.error());
  std::cout << (output == "json" ? reset_json(*result) : reset_text(*result));
  return result->clean() ? k_ok : k_error;
}

// For slipway-pods.service, and for people who want a node empty at once.
int end_pods(int grace_seconds, bool at_shutdown) {
  if (at_shutdown) {
    // Containers of a host that is no node are somebody's own.
    if (!path_exists(k_agent_config_file)) return k_ok;
    const auto stops = host_stops();
    if (!stops) return fail(context(stops.error(), "asking systemd whether the host goes down"));
    if (!*stops) return k_ok;
  }
  const auto done = stop_pods(std::chrono::seconds(grace_seconds));
  if (!done) return fail(done.error());
  std::cout << "ended " << done->told << " processes of pods, " << done->killed << " of them with SIGKILL\n";
  return k_ok;
}

void add_ignore(CLI::App& app, std::vector<std::string>& ignore) {
  app.add_option("--ignore-preflight-errors", ignore, "checks whose errors are passed over, or all; names as preflight prints them")->delimiter(',');
}

CLI::App* add_reset(CLI::App& app, ResetOptions& options, bool& yes, std::string& output) {
  CLI::App* reset_app = app.add_subcommand(
      "reset", "stop what runs here and undo exactly what Slipway did to this host, as its change ledger says; lists what is left and why, exit code 1 then");
  reset_app->add_flag("--dry-run", options.dry_run, "only show what would be done");
  reset_app->add_flag("--yes", yes, "do not ask");
  reset_app->add_option("--config", options.config_file, "configuration file; it may be missing")->capture_default_str();
  reset_app->add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  return reset_app;
}

void add_join(CLI::App& app, JoinOptions& options, std::vector<std::string>& ignore) {
  app.add_option("--server", options.servers, "coordinator, https://IP:7443; may be given several times")
      ->required();
  app.add_option("--token-file", options.token_file,
                 "file with the join token (mode 600), or - for standard input")
      ->required();
  app.add_option("--role", options.role, "node or master")
      ->check(CLI::IsMember({"node", "master"}))
      ->capture_default_str();
  app.add_option("--node-name", options.node_name, "name of the node; default: the host's name");
  app.add_option("--node-ip", options.node_ip,
                 "the node's own address; default: the one on the way to the coordinator");
  add_ignore(app, ignore);
  app.add_option("--config", options.config_file, "configuration to write")->capture_default_str();
  app.add_flag("!--no-start", options.start, "only write the configuration");
}

cli::ManualFrame manual_frame() {
  cli::ManualFrame frame;
  frame.version = k_version;
  frame.purpose = "make a host a node of a Slipway cluster and keep it one";
  frame.description = {
      "The agent joins its cluster by itself at boot with a token, gets its pod subnet and its credentials, installs "
      "the components of a node (and of the control plane on masters) from the coordinator's verified artifacts, sets "
      "up the pod network, supervises and repairs all of it. The token is used once; its file is deleted then.",
      "The node runs on without its agent and without the coordinator."};
  frame.exit_codes = {{"0", "all went well"}, {"1", "an error; reset: something is left"}, {"2", "preflight found an error"}, {"3", "wrong usage, or settings that are refused"}, {"4", "the host has not joined, or the agent does not run"},
                      {"5", "the host waits for approval or was refused"}};
  frame.files = {{"/etc/slipway/agent.yaml", "settings; agent.yaml.d/*.yaml are merged over them"},
                 {"/etc/slipway/join.token", "the join token, mode 0600; deleted when the host has joined"},
                 {"/var/lib/slipway/agent", "identity, keys, the last desired state, and the ledger of what was changed on this host"},
                 {"/run/slipway/agent.sock", "where the agent answers root (and localGroup): GET /v1/status, /v1/health, /v1/preflight, /v1/support"},
                 {"/run/slipway/agent-status.json", "what it wrote down last, for everybody to read"},
                 {"/opt/slipway", "installed components"}};
  frame.see_also = {"slipwayctl(1)", "slipway-coordinator(8)"};
  return frame;
}

int run_command(int argc, char** argv) {
  CLI::App app("Makes this host a node of a Slipway cluster and keeps it one.", "slipway-agent");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(k_version));
  std::string config_file = k_agent_config_file;
  LocalOptions local;
  JoinOptions options;
  std::vector<std::string> ignore;
  options.config_file = k_agent_config_file;
  CLI::App* run_app = app.add_subcommand("run", "run the agent (slipway-agent.service does)");
  run_app->add_option("--config", config_file, "configuration file")->capture_default_str();
  bool check = false;
  run_app->add_flag("--check", check, "only check the settings: exit code 0 when they are in order, 3 when not, 1 when there are none; needs no root");
  CLI::App* join_app = app.add_subcommand("join", "configure this host for a cluster and start the agent");
  add_join(*join_app, options, ignore);
  CLI::App* preflight_app =
      app.add_subcommand("preflight", "look for everything that stands in the way of a node, and, without --fix, change nothing; exit code 2 when there is an error");
  add_ignore(*preflight_app, local.ignore);
  CLI::App* status_app = app.add_subcommand("status", "show what the agent does; exit code 4 when the host has not joined or the agent does not run, 5 when it waits for approval "
                                                      "or was refused");
  CLI::App* health_app = app.add_subcommand("health", "show whether this node is well, each finding with its cure; exit code 1 when there is an error, 4 when the agent does not run");
  CLI::App* support_app = app.add_subcommand("support", "gather status, settings, logs and network of this host in an archive, without secrets; works without the agent, too");
  for (CLI::App* command : {preflight_app, status_app, health_app}) add_output(*command, local);
  support_app->add_option("-O,--output-file", local.archive, "archive to make, or - for standard output; default: a name with host and time, in the present folder");
  support_app->add_option("--socket", local.socket, "where the agent listens")->capture_default_str();
  support_app->add_option("--config", local.config_file, "configuration file")->capture_default_str();
  bool fix = false;
  preflight_app->add_flag("--fix", fix, "first mend what needs no decision: kernel modules and sysctls, for every boot from now on; reset takes them back");
  ResetOptions reset_options;
  bool yes = false;
  std::string reset_output = "table";
  reset_options.config_file = k_agent_config_file;
  CLI::App* reset_app = add_reset(app, reset_options, yes, reset_output);
  int grace = 10;
  bool at_shutdown = false;
  CLI::App* pods_app = app.add_subcommand("stop-pods", "end all processes of pods, without the runtimes; slipway-pods.service does when the host shuts down");
  pods_app->add_option("--grace", grace, "seconds between SIGTERM and SIGKILL")->check(CLI::Range(0, 300))->capture_default_str();
  pods_app->add_flag("--at-shutdown", at_shutdown, "only on a node (with " + std::string(k_agent_config_file) + "), and when systemd says that the host goes down");
  CLI::App* manual_app = app.add_subcommand("manual-page", "print the manual page")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? k_ok : k_usage;
  }
  if (manual_app->parsed()) {
    std::cout << cli::manual_page(app, manual_frame());
    return k_ok;
  }
  if (run_app->parsed()) return run(config_file, check);
  if (pods_app->parsed()) return end_pods(grace, at_shutdown);
  if (join_app->parsed()) return join(options, ignore);
  if (preflight_app->parsed()) return preflight_now(local, fix);
  if (health_app->parsed()) return health_command(local);
  if (support_app->parsed()) return support_command(local);
  if (reset_app->parsed()) return reset(reset_options, reset_output, yes);
  return status_command(local);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "slipway-agent: " << error.what() << "\n";
    return k_error;
  }
}
