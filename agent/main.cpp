// slipway-agent: makes a host a node of its cluster and keeps it one.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>

#include "agent/app.hpp"
#include "agent/config.hpp"
#include "agent/join_command.hpp"
#include "agent/local_status.hpp"
#include "agent/preflight_command.hpp"
#include "agent/process/pod_stop.hpp"
#include "common/async/system_clock.hpp"
#include "common/cli/manual.hpp"
#include "common/files/tree.hpp"
#include "common/log/log.hpp"
#include "proto/codec.hpp"
#include "slipway_version.hpp"

namespace {

using namespace slipway;

// DESIGN.md section 5.
enum ExitCode { k_ok = 0, k_error = 1, k_preflight = 2, k_usage = 3, k_not_joined = 4, k_denied = 5 };

int fail(const Error& error) {
  std::cerr << "slipway-agent: " << error.message << "\n";
  return error.code == Errc::invalid ? k_usage : k_error;
}

int run(const std::string& config_file) {
  auto config = load_agent_config(config_file);
  if (!config) return fail(config.error());
  if (auto ready = log::setup("slipway-agent", config->log_level); !ready) return fail(ready.error());
  const Status ended = run_agent(*config);
  if (ended) return k_ok;
  log::error("the agent ends", {{"error", ended.error()}});
  return k_error;
}

// Errors and warnings go to standard error; `ignore` is a list of names, separated by commas.
int look_first(PreflightOptions options) {
  const auto findings = run_preflight(options);
  if (!findings) return fail(findings.error());
  const bool silent = std::all_of(findings->begin(), findings->end(), [](const Finding& f) { return f.severity == Severity::ok; });
  if (!silent) std::cerr << preflight_text(*findings);
  if (!refuses(*findings)) return k_ok;
  std::cerr << "slipway-agent: nothing was changed. Mend what is named above, or pass over it: --ignore-preflight-errors NAME,...\n";
  return k_preflight;
}

int join(const JoinOptions& options, const std::vector<std::string>& ignore) {
  PreflightOptions look;
  look.servers = options.servers;
  look.token_file = options.token_file == "-" ? std::string() : options.token_file;
  look.role = options.role;
  look.node_name = options.node_name;
  look.node_ip = options.node_ip;
  look.ignore = ignore;
  if (const int found = look_first(std::move(look)); found != k_ok) return found;
  if (auto written = write_join_config(options); !written) return fail(written.error());
  std::cout << "wrote " << options.config_file << " and " << options.token_copy << "\n";
  if (!options.start) return k_ok;
  if (auto ready = log::setup("slipway-agent", "warning"); !ready) return fail(ready.error());
  if (auto started = start_agent_unit(); !started) return fail(started.error());
  std::cout << "slipway-agent.service runs and joins now; see how it goes with: slipway-agent status\n";
  return k_ok;
}

int preflight_now(const std::string& output, const std::string& config_file, const std::vector<std::string>& ignore) {
  PreflightOptions options;
  if (path_exists(config_file)) {
    auto config = load_agent_config(config_file);
    if (!config) return fail(config.error());
    options = preflight_options(*config);
  }
  options.ignore = ignore;
  const auto findings = run_preflight(options);
  if (!findings) return fail(findings.error());
  std::cout << (output == "json" ? preflight_json(*findings) : preflight_text(*findings));
  return refuses(*findings) ? k_preflight : k_ok;
}

int status(const std::string& output, const std::string& config_file) {
  const auto local = read_local_status(k_local_status_file);
  if (!local) {
    if (local.error().code != Errc::not_found) return fail(local.error());
    if (!path_exists(config_file)) {
      std::cerr << "slipway-agent: this host has not joined a cluster; run: slipway-agent join --server "
                   "https://IP:7443 --token-file FILE\n";
      return k_not_joined;
    }
    std::cerr << "slipway-agent: the agent has not run since the boot; see: systemctl status slipway-agent\n";
    return k_not_joined;
  }
  if (output == "json") {
    std::cout << proto::pretty(proto::encode(*local)) << "\n";
  } else {
    std::cout << status_table(*local, SystemClock().wall());
  }
  if (local->joined) return k_ok;
  return local->join_state.empty() ? k_not_joined : k_denied;
}

// For slipway-pods.service, and for people who want a node empty at once.
int end_pods(int grace_seconds, bool at_shutdown) {
  if (at_shutdown) {
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
  frame.exit_codes = {{"0", "all went well"}, {"1", "an error"}, {"2", "preflight found an error"}, {"3", "wrong usage"}, {"4", "the host has not joined"},
                      {"5", "the host waits for approval or was refused"}};
  frame.files = {{"/etc/slipway/agent.yaml", "settings; agent.yaml.d/*.yaml are merged over them"},
                 {"/etc/slipway/join.token", "the join token, mode 0600; deleted when the host has joined"},
                 {"/var/lib/slipway/agent", "identity, keys and the last desired state"},
                 {"/opt/slipway", "installed components"}};
  frame.see_also = {"slipwayctl(1)", "slipway-coordinator(8)"};
  return frame;
}

int run_command(int argc, char** argv) {
  CLI::App app("Makes this host a node of a Slipway cluster and keeps it one.", "slipway-agent");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(k_version));
  std::string config_file = k_agent_config_file;
  std::string output = "table";
  JoinOptions options;
  std::vector<std::string> ignore;
  options.config_file = k_agent_config_file;
  CLI::App* run_app = app.add_subcommand("run", "run the agent (slipway-agent.service does)");
  run_app->add_option("--config", config_file, "configuration file")->capture_default_str();
  CLI::App* join_app = app.add_subcommand("join", "configure this host for a cluster and start the agent");
  add_join(*join_app, options, ignore);
  CLI::App* preflight_app =
      app.add_subcommand("preflight", "look for everything that stands in the way of a node, and change nothing; exit code 2 when there is an error");
  add_ignore(*preflight_app, ignore);
  preflight_app->add_option("--config", config_file, "configuration file; without one the coordinator is not asked")->capture_default_str();
  preflight_app->add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  CLI::App* status_app =
      app.add_subcommand("status", "show what the agent does; exit code 4 when the host has not joined, 5 when it "
                                    "waits for approval or was refused");
  status_app->add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  int grace = 10;
  bool at_shutdown = false;
  CLI::App* pods_app = app.add_subcommand("stop-pods", "end all processes of pods, without the runtimes; slipway-pods.service does when the host shuts down");
  pods_app->add_option("--grace", grace, "seconds between SIGTERM and SIGKILL")->check(CLI::Range(0, 300))->capture_default_str();
  pods_app->add_flag("--at-shutdown", at_shutdown, "only when systemd says that the host goes down");
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
  if (run_app->parsed()) return run(config_file);
  if (pods_app->parsed()) return end_pods(grace, at_shutdown);
  if (join_app->parsed()) return join(options, ignore);
  if (preflight_app->parsed()) return preflight_now(output, config_file, ignore);
  return status(output, config_file);
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
