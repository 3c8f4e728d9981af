#pragma once
// What slipwayctl does. Each command returns its exit code; results go to `out`, errors and progress to
// `err`.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "common/core/time.hpp"
#include "coordinator/ctl/command_line.hpp"
#include "coordinator/ctl/connection.hpp"

namespace slipway::ctl {

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // err is one: progress may rewrite its line
  WallTime now{};
  // Asks whoever sits there and returns whether the answer was yes; empty when nobody can be asked.
  std::function<bool(const std::string& question)> ask = {};
  // For what runs on while it prints, like a watch; empty: it is `now` all the time.
  std::function<WallTime()> clock = {};
  // Between two looks of a watch or a wait: sleeps, and says whether to go on. Empty: one look is all.
  std::function<bool(std::chrono::milliseconds)> pause = {};
  bool screen = false;  // out is a terminal: what is looked at again is drawn over
};

// Runs against `connection`.
int run_command(const CommandLine& line, Connection& connection, Console console);

int exit_code_of(const Error& error);
// Prints "slipwayctl: <message>" and gives the code.
int fail(Console& console, const Error& error);

// Whether a command that changes much may go on: `yes` was given, or whoever sits there says so. Prints why not.
bool confirmed(bool yes, const std::string& question, Console& console);

// config.cpp: commands that need no connection; the code to exit with, absent for all others.
std::optional<int> run_local_command(const CommandLine& line, Console& console);
// plan.cpp: as run_local_command().
std::optional<int> run_plan(const CommandLine& line, Console& console);
// operators.cpp
int create_operator(const OperatorCreate& wish, Connection& connection, Console& console);
// watch.cpp: until the coordinator ends it, or forever.
int watch_nodes(const std::string& target, const CommandLine& line, Connection& connection, Console& console);
// The same command every two seconds, its result drawn over the last one, or printed when it is another. What fails after the first
// time is shown and tried again, unless it is denied.
int redraw(Format format, const std::function<int(Console& console)>& once, Console& console);
// wait.cpp: looks every two seconds until `missing` names nothing more; code 6 after `timeout`. Errors of `missing` are told and looked past,
// but for those that no wait mends: denied, and Errc::conflict.
int wait_until(const std::string& what, const std::string& timeout, const std::function<Result<std::vector<std::string>>()>& missing, Console& console);
// Live nodes that have not applied this desired revision.
Result<std::vector<std::string>> nodes_behind(std::uint64_t revision, Connection& connection, WallTime now);
// network_probe.cpp
int probe_network(const HealthNetwork& wish, Format format, Connection& connection, Console& console);
// support.cpp
int make_support_archive(const Support& wish, Connection& connection, Console& console);
// cluster_apply.cpp
int apply_cluster(const ClusterApply& wish, Format format, Connection& connection, Console& console);
// upgrade.cpp
int show_upgrade_plan(const UpgradePlan& wish, Format format, Connection& connection, Console& console);
int apply_upgrade(const UpgradeApply& wish, Format format, Connection& connection, Console& console);
int pause_rollout(const UpgradePause& wish, Format format, Connection& connection, Console& console);
int show_upgrade_status(Format format, Connection& connection, Console& console);
// node_changes.cpp
int cordon_node(const NodeCordon& wish, Format format, Connection& connection, Console& console);
int drain_node(const NodeDrain& wish, Format format, Connection& connection, Console& console);
int rotate_certificates(const CertsRotate& wish, Format format, Connection& connection, Console& console);
// node_config.cpp
int node_config(const NodeConfig& wish, Format format, Connection& connection, Console& console);
// audit.cpp
int list_audit(const AuditList& wish, Format format, Connection& connection, Console& console);
int verify_audit(Format format, Connection& connection, Console& console);
int list_revoked(Format format, Connection& connection, Console& console);
// How long certificates of a node that was just deleted are taken elsewhere; empty when none is, or it cannot be told.
std::string leftover_text(const std::string& node, Connection& connection);
// The same of the kubeconfigs of a person who was just revoked.
std::string kubeconfigs_left_text(const std::string& user, Connection& connection);
// artifacts.cpp
int import_artifact(const ArtifactImport& wish, Connection& connection, Console& console);
Status import_file(const ArtifactImport& wish, Connection& connection, Console& console);
// fetch.cpp: without a folder to keep the files in; and with one, as run_local_command().
int fetch_artifacts(const ArtifactFetch& wish, Format format, Connection& connection, Console& console);
std::optional<int> run_local_fetch(const CommandLine& line, Console& console);
// manifest.cpp
int create_manifest(const ManifestCreate& wish, Connection& connection, Console& console);
int put_manifest(const ManifestPut& wish, Connection& connection, Console& console);
std::string collect_text(const proto::CollectReply& reply);
std::optional<int> run_signing_command(const CommandLine& line, Console& console);  // as run_local_command()
// kubeconfig.cpp
int make_kubeconfig(const ClusterKubeconfig& wish, Connection& connection, Console& console);

}  // namespace slipway::ctl
