// slipway-coordinator: init makes a cluster, run serves it.
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <exception>
#include <iostream>

#include "common/cli/manual.hpp"
#include "common/log/log.hpp"
#include "common/systemd/notify.hpp"
#include "coordinator/app.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"
#include "slipway_version.hpp"

namespace slipway {

namespace {

constexpr int k_failed = 1;
constexpr int k_usage = 3;
constexpr Millis k_drain{10'000};
constexpr const char* k_user = "slipway";

struct Arguments {
  InitOptions init;
  AdminConfOptions admin;
  AuditVerifyOptions audit;
  std::string config = "/etc/slipway/coordinator.yaml";
  std::string data_dir;  // of run: over the file's
  std::string listen;
};

int fail(const Error& error) {
  std::cerr << "slipway-coordinator: " << error.message << "\n";
  return error.code == Errc::invalid ? k_usage : k_failed;
}

WallTime now() {
  return std::chrono::floor<Seconds>(std::chrono::system_clock::now());
}

// Keys are in this process: no core dump, no ptrace by the same user. Connections are many: all descriptors
// that we may have.
void harden() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

int init(InitOptions options) {
  if (::geteuid() == 0) {
    if (const passwd* user = ::getpwnam(k_user)) options.owner = FileOwner{user->pw_uid, user->pw_gid};
  }
  const auto text = init_cluster(options, now());
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int admin_conf(const AdminConfOptions& options) {
  const auto text = renew_admin_conf(options, now());
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int audit_verify(const AuditVerifyOptions& options) {
  const auto report = verify_audit(options);
  if (!report) return fail(report.error());
  std::cout << report->text;
  return report->ok ? 0 : k_failed;
}

int run(const Arguments& arguments) {
  auto config = load_coordinator_config(arguments.config);
  if (!config) return fail(config.error());
  if (!arguments.data_dir.empty()) config->data_dir = arguments.data_dir;
  if (!arguments.listen.empty()) config->listen = arguments.listen;
  const Status logging = log::setup("slipway-coordinator", config->log_level);
  if (!logging) return fail(logging.error());
  // Blocked before any thread is made, so that all threads inherit it and only sigwait() below sees the
  // signals.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  AppOptions options;
  options.config = *config;
  const auto app = App::start(std::move(options));
  if (!app) return fail(app.error());
  systemd::ready();
  int received = 0;
  ::sigwait(&signals, &received);
  log::info("stopping", {{"signal", received}});
  systemd::stopping();
  const Status stopped = (*app)->stop(k_drain);
  if (!stopped) return fail(error_of(stopped, "stopping"));
  log::info("stopped");
  return 0;
}

cli::ManualFrame manual_frame() {
  cli::ManualFrame frame;
  frame.version = k_version;
  frame.purpose = "own a Slipway cluster and serve its API";
  frame.description = {
      "The coordinator owns one cluster: its settings, certificate authorities, nodes and their pod subnets, join tokens "
      "and artifacts. Agents and operators reach it over mutual TLS; slipwayctl(1) is the operators' end.",
      "init makes the cluster, as root, once; the daemon runs as user slipway. Answers go out when they are durable; when "
      "its store fails, the daemon ends and is started again."};
  frame.exit_codes = {{"0", "all went well"}, {"1", "an error"}, {"3", "wrong usage, or settings that are refused"}};
  frame.files = {{"/etc/slipway/coordinator.yaml", "settings of the daemon"},
                 {"/etc/slipway/admin.conf", "the first operator's credential, made by init"},
                 {"/etc/slipway/master.token", "a join token for the first master, made by init"},
                 {"/var/lib/slipway/coordinator", "state, certificate authorities and artifacts"}};
  frame.see_also = {"slipwayctl(1)", "slipway-agent(8)"};
  return frame;
}

int command(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("slipway-coordinator: owns a cluster and serves its API", "slipway-coordinator");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("slipway-coordinator ") + k_version);
  CLI::App* init_command = app.add_subcommand("init", "make a cluster from cluster.yaml");
  init_command->add_option("--config", arguments.init.config, "cluster.yaml")->required();
  init_command->add_option("--data-dir", arguments.init.data_dir, "where the cluster lives")
      ->capture_default_str();
  init_command->add_option("--admin-conf", arguments.init.admin_conf, "gets the operator's credential")
      ->capture_default_str();
  init_command
      ->add_option("--master-token-file", arguments.init.master_token_file, "gets a token for one master")
      ->capture_default_str();
  CLI::App* run_command = app.add_subcommand("run", "serve the cluster");
  run_command->add_option("--config", arguments.config, "settings of the daemon")->capture_default_str();
  run_command->add_option("--data-dir", arguments.data_dir, "instead of the settings' dataDir");
  run_command->add_option("--listen", arguments.listen, "instead of the settings' listen");
  CLI::App* admin_command =
      app.add_subcommand("admin-conf", "make the operator's credential anew; the daemon must not run");
  admin_command->add_option("--data-dir", arguments.admin.data_dir, "where the cluster lives")
      ->capture_default_str();
  admin_command->add_option("--admin-conf", arguments.admin.admin_conf, "gets the credential")
      ->capture_default_str();
  admin_command->add_option("--user", arguments.admin.user, "name in the certificate")->capture_default_str();
  CLI::App* audit_command = app.add_subcommand("audit", "the audit log, without the daemon");
  audit_command->require_subcommand(1);
  CLI::App* verify_command =
      audit_command->add_subcommand("verify", "name what was changed, deleted or cut; exits with 1 when something was");
  verify_command->add_option("--data-dir", arguments.audit.data_dir, "where the cluster lives")->capture_default_str();
  verify_command->add_option("--files", arguments.audit.files, "a copy of the log's files instead, without the store");
  verify_command->add_option("--head", arguments.audit.head, "with --files: SEQ:HASH of a record that must be there");
  CLI::App* manual_command = app.add_subcommand("manual-page", "print the manual page")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : k_usage;
  }
  if (manual_command->parsed()) {
    std::cout << cli::manual_page(app, manual_frame());
    return 0;
  }
  if (init_command->parsed()) return init(arguments.init);
  if (verify_command->parsed()) return audit_verify(arguments.audit);
  if (admin_command->parsed()) return admin_conf(arguments.admin);
  return run(arguments);
}

}  // namespace

}  // namespace slipway

int main(int argc, char** argv) {
  slipway::harden();
  try {
    return slipway::command(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "slipway-coordinator: unexpected: " << error.what() << "\n";
    return slipway::k_failed;
  }
}
