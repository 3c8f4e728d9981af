#pragma once
// What `slipway-agent preflight -o json` and `slipway-agent reset -o json` print. Part of no API.
#include <string>
#include <vector>

namespace slipway::proto {

struct PreflightFinding {
  std::string check;     // "swap"
  std::string severity;  // ok, warning, error
  std::string message;
  std::string cure;      // empty: nothing to do
  bool ignored = false;  // an error that was asked to be passed over
};
struct PreflightReport {
  bool ok = false;  // no error stands
  std::vector<PreflightFinding> findings;
};
struct ResetLeftover {
  std::string kind;  // file, link, dir, tree, unit, sysctl, module, routes, table, chains, device, cgroup, programs
  std::string name;
  std::string why;   // with the cure
};
struct ResetReport {
  bool clean = false;              // nothing is left; with dryRun: nothing would be
  bool dry_run = false;
  std::string node;                // name of the node that the coordinator still knows; empty: it never joined
  std::vector<std::string> steps;  // done, or to be done
  std::vector<ResetLeftover> leftovers;
};

}  // namespace slipway::proto
