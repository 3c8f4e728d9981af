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
#include <memory>
#include <string>
#include <vector>

#include "common/cli/manual.hpp"
#include "common/files/tree.hpp"
#include "common/log/log.hpp"
#include "common/systemd/journal_log.hpp"
#include "common/systemd/notify.hpp"
#include "coordinator/app.hpp"
#include "coordinator/ca/ca_passphrase.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"
#include "coordinator/signer/hidden_files.hpp"
#include "coordinator/signer/process.hpp"
#include "slipway_version.hpp"

namespace slipway {

namespace {

constexpr int k_failed = 1;
constexpr int k_usage = 3;
constexpr Millis k_drain{10'000};
constexpr std::uint64_t k_other_descriptors = 512;  // store, log, artifacts being read, the API server
constexpr const char* k_user = "slipway";

struct Arguments {
  InitOptions init;
  AdminConfOptions admin;
  AuditVerifyOptions audit;
  ConvertOptions convert;
  std::string config = "/etc/slipway/coordinator.yaml";
  std::string data_dir;  // of run: over the file's
  std::string listen;
  bool check = false;       // of init and run: look at the settings and do nothing
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

// Without descriptors, known nodes wait as strangers do.
void warn_of_descriptors(std::size_t connections) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= connections + k_other_descriptors) return;
  log::warning("fewer descriptors than connections allowed: raise LimitNOFILE, or lower limits.connections",
               {{"descriptors", static_cast<std::uint64_t>(files.rlim_cur)}, {"connections", connections}, {"others", k_other_descriptors}});
}

int print(const Result<std::string>& text) {
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int init(InitOptions options) {
  if (::geteuid() == 0) {
    if (const passwd* user = ::getpwnam(k_user)) options.owner = FileOwner{user->pw_uid, user->pw_gid};
  }
  return print(init_cluster(options, now()));
}

int audit_verify(const AuditVerifyOptions& options) {
  const auto report = verify_audit(options);
  if (!report) return fail(report.error());
  std::cout << report->text;
  return report->ok ? 0 : k_failed;
}

// What the signer process reads for us. Whoever gets hold of this process must not read it from the disk instead.
Status hide_keys(const proto::CoordinatorConfig& config) {
  std::vector<std::string> paths = {ca_dir(config.data_dir), import_dir(config.data_dir)};
  if (!config.ca_passphrase_file.empty()) paths.push_back(config.ca_passphrase_file);
  if (const std::string credentials = credentials_dir(); !credentials.empty()) paths.push_back(credentials);
  const auto hidden = signer::hide_files(paths);
  if (!hidden) log::warning("this process can still open the files of the CA keys", {{"error", hidden.error()}});
  else if (!*hidden) log::warning("this process can still open the files of the CA keys: there is no Landlock here (a kernel before 5.19, or a container that forbids it)");
  return {};
}

// Which asks us to stop. Ends the process when the signer has ended.
int wait_for_signal(const sigset_t& signals, signer::SignerProcess& keeper) {
  while (true) {
    int received = 0;
    ::sigwait(&signals, &received);
    if (received != SIGCHLD) return received;
    const auto ended = keeper.ended();
    if (!ended) continue;
    log::error(*ended + ", so nothing can be signed: ending at once, to be started again");
    ::_exit(k_failed);
  }
}

// Of --check: nothing but the file is read, so that anybody may who may read it.
int check_settings(const std::string& path) {
  const auto config = load_coordinator_config(path);
  if (!config) return fail(config.error());
  std::cout << (path_exists(path) ? path + " is in order\n" : "there is no " + path + ": the defaults are used\n");
  return 0;
}

int run(const Arguments& arguments) {
  if (arguments.check) return check_settings(arguments.config);
  auto config = load_coordinator_config(arguments.config);
  if (!config) return fail(config.error());
  if (!arguments.data_dir.empty()) config->data_dir = arguments.data_dir;
  if (!arguments.listen.empty()) config->listen = arguments.listen;
  const Status logging = log::setup("slipway-coordinator", config->log_level);
  if (!logging) return fail(logging.error());
  systemd::log_to_journal();
  // Blocked before any thread is made, so that all threads inherit it and only sigwait() below sees the
  // signals.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::sigaddset(&signals, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Before there is any thread, socket or open file.
  auto keeper = signer::SignerProcess::start(signing_channels(*config));
  if (!keeper) return fail(keeper.error());
  log::info("signer process started", {{"pid", keeper->pid()}});
  AppOptions options;
  options.config = *config;
  options.limits = server_limits(config->limits);
  options.signer = std::make_shared<signer::SignerLink>(keeper->take_link());
  options.before_threads = [config = *config] { return hide_keys(config); };
  warn_of_descriptors(options.limits.connections);
  const auto app = App::start(std::move(options));
  if (!app) return fail(app.error());
  systemd::ready();
  const int received = wait_for_signal(signals, *keeper);
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

constexpr const char* k_passphrase_help = "file (0600) with the passphrase of the CA keys; the credential ca-passphrase when absent";

CLI::App* add_init(CLI::App& app, InitOptions& options) {
  CLI::App* command = app.add_subcommand("init", "make a cluster from cluster.yaml");
  command->add_option("--config,-f", options.config, "cluster.yaml")->required();
  command->add_option("--data-dir", options.data_dir, "where the cluster lives")->capture_default_str();
  command->add_option("--admin-conf", options.admin_conf, "gets the operator's credential")->capture_default_str();
  command->add_option("--master-token-file", options.master_token_file, "gets a token for one master")->capture_default_str();
  command->add_option("--ca-dir", options.ca_dir, "import the authorities in this folder (fabric-ca.crt, fabric-ca.key, ...)");
  command->add_option("--ca-passphrase-file", options.ca_passphrase_file, k_passphrase_help);
  return command;
}

CLI::App* add_run(CLI::App& app, Arguments& arguments) {
  CLI::App* command = app.add_subcommand("run", "serve the cluster");
  command->add_option("--config", arguments.config, "settings of the daemon")->capture_default_str();
  command->add_option("--data-dir", arguments.data_dir, "instead of the settings' dataDir");
  command->add_option("--listen", arguments.listen, "instead of the settings' listen");
  command->add_flag("--check", arguments.check, "only check the settings: exit code 0 when they are in order, 3 when not; needs no root");
  return command;
}

CLI::App* add_admin_conf(CLI::App& app, AdminConfOptions& options) {
  CLI::App* command = app.add_subcommand("admin-conf", "make the operator's credential anew; the daemon must not run");
  command->add_option("--data-dir", options.data_dir, "where the cluster lives")->capture_default_str();
  command->add_option("--admin-conf", options.admin_conf, "gets the credential")->capture_default_str();
  command->add_option("--user", options.user, "name in the certificate")->capture_default_str();
  command->add_option("--ca-passphrase-file", options.ca_passphrase_file, k_passphrase_help);
  return command;
}

CLI::App* add_ca(CLI::App& app, ConvertOptions& options) {
  using To = ConvertOptions::To;
  CLI::App* group = app.add_subcommand("ca", "encrypt or decrypt the CA keys on disk; the daemon must not run");
  group->require_subcommand(1);
  const auto add = [group, &options](const char* name, const char* help, To to) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("--data-dir", options.data_dir, "where the cluster lives")->capture_default_str();
    command->add_option("--ca-passphrase-file", options.ca_passphrase_file, k_passphrase_help);
    command->callback([&options, to] { options.to = to; });
    return command;
  };
  add("encrypt", "encrypt all keys with the passphrase", To::encrypted);
  add("decrypt", "write all keys plain", To::plain);
  add("passwd", "encrypt all keys with another passphrase", To::other_passphrase)
      ->add_option("--new-passphrase-file", options.new_passphrase_file, "file (0600) with the new passphrase")
      ->required();
  return group;
}

CLI::App* add_audit_verify(CLI::App& app, AuditVerifyOptions& options) {
  CLI::App* group = app.add_subcommand("audit", "the audit log, without the daemon");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("verify", "name what was changed, deleted or cut; exits with 1 when something was");
  command->add_option("--data-dir", options.data_dir, "where the cluster lives")->capture_default_str();
  command->add_option("--files", options.files, "a copy of the log's files instead, without the store");
  command->add_option("--head", options.head, "with --files: SEQ:HASH of a record that must be there");
  return command;
}

int command(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("slipway-coordinator: owns a cluster and serves its API", "slipway-coordinator");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("slipway-coordinator ") + k_version);
  CLI::App* init_command = add_init(app, arguments.init);
  init_command->add_flag("--check", arguments.check, "only check cluster.yaml, and show the plan's arithmetic; needs no root, reads nothing else");
  add_run(app, arguments);
  const CLI::App* admin_command = add_admin_conf(app, arguments.admin);
  const CLI::App* verify_command = add_audit_verify(app, arguments.audit);
  const CLI::App* ca_command = add_ca(app, arguments.convert);
  const CLI::App* manual_command = app.add_subcommand("manual-page", "print the manual page")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : k_usage;
  }
  if (manual_command->parsed()) {
    std::cout << cli::manual_page(app, manual_frame());
    return 0;
  }
  if (init_command->parsed()) return arguments.check ? print(check_cluster_file(arguments.init.config)) : init(arguments.init);
  if (verify_command->parsed()) return audit_verify(arguments.audit);
  if (admin_command->parsed()) return print(renew_admin_conf(arguments.admin, now()));
  if (ca_command->parsed()) return print(convert_ca_keys(arguments.convert));
  return run(arguments);
}

}  // namespace

}  // namespace slipway

int main(int argc, char** argv) {
  slipway::harden();
  if (const auto channels = slipway::signer::signer_channels(argc, argv)) slipway::signer::run_signer(*channels);
  try {
    return slipway::command(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "slipway-coordinator: unexpected: " << error.what() << "\n";
    return slipway::k_failed;
  }
}
