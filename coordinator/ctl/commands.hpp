#pragma once
// What slipwayctl does. Each command returns its exit code; results go to `out`, errors and progress to
// `err`.
#include <functional>
#include <memory>
#include <ostream>

#include "common/core/time.hpp"
#include "coordinator/ctl/command_line.hpp"
#include "coordinator/ctl/connection.hpp"

namespace slipway::ctl {

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // err is one: progress may rewrite its line
  WallTime now{};
};

// Runs against `connection`.
int run_command(const CommandLine& line, Connection& connection, Console console);

int exit_code_of(const Error& error);
// Prints "slipwayctl: <message>" and gives the code.
int fail(Console& console, const Error& error);

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
