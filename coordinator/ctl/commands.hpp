#pragma once
// What slipwayctl does. Each command returns its exit code; results go to `out`, errors and progress to
// `err`.
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

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
  // For what asks again and again.
  std::function<void(Seconds)> sleep = {};
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
// operators.cpp
int create_operator(const OperatorCreate& wish, Connection& connection, Console& console);
// watch.cpp: until the coordinator ends it, or forever.
int watch_nodes(const std::string& target, const CommandLine& line, Connection& connection, Console& console);
// node_changes.cpp
int cordon_node(const NodeCordon& wish, Format format, Connection& connection, Console& console);
int drain_node(const NodeDrain& wish, Format format, Connection& connection, Console& console);
int rotate_certificates(const CertsRotate& wish, Format format, Connection& connection, Console& console);
// audit.cpp
int list_audit(const AuditList& wish, Format format, Connection& connection, Console& console);
int verify_audit(Format format, Connection& connection, Console& console);
int list_revoked(Format format, Connection& connection, Console& console);
// How long certificates of a node that was just deleted are taken elsewhere; empty when none is, or it cannot be told.
std::string leftover_text(const std::string& node, Connection& connection);
// artifacts.cpp
int import_artifact(const ArtifactImport& wish, Connection& connection, Console& console);
// kubeconfig.cpp
int make_kubeconfig(const ClusterKubeconfig& wish, Connection& connection, Console& console);

}  // namespace slipway::ctl
