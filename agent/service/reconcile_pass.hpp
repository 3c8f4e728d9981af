#pragma once
// What a pass of the Reconciler knows while it is made. Private to its files.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/service/reconcile.hpp"

namespace slipway {

struct Reconciler::Pass {
  NodeIdentity identity;
  proto::DesiredState desired;
  std::vector<ComponentFiles> components;
  std::vector<proto::ComponentRef> kept;           // versions and artifacts of held components
  std::map<std::string, std::string> stamps;       // artifact -> version and digest; missing: not installed
  std::vector<std::optional<std::string>> inputs;  // of each component; empty: its files are not as wanted
  std::vector<bool> renewed;                       // of each component: a file of its was written
  bool units_changed = false;                      // a unit file was written
  bool stood =
      false;  // before it all was as wanted, for the same revision: what is not now, somebody changed
  bool units_acted = false;  // a unit was started or restarted
  std::map<std::string, UnitStatus>
      asked;  // what the supervisor said in this pass, as long as nothing was asked of it since
  std::vector<std::string> paths;  // all that the components have on the disk
  BundleDigests bundles;           // stored when the pass began
  std::set<std::string> held;      // components that keep their settings, and the version of their artifact
  std::vector<bool> good;          // of each component: files in place, and its unit runs with them
  PassReport report;

  void problem(const std::string& component, const std::string& stage, const std::string& what) {
    report.problems.push_back(component + ": " + stage + ": " + what);
  }
  std::optional<ProgramCopies> copies() const {
    const auto needs = std::find_if(components.begin(), components.end(),
                                    [](const ComponentFiles& c) { return c.copies.has_value(); });
    return needs == components.end() ? std::nullopt : needs->copies;
  }
  // What a part of the pass has come to; when nothing was to be changed, somebody had changed it.
  void add(const std::vector<std::string>& changes, const std::vector<std::string>& problems) {
    if (stood) report.drifted.insert(report.drifted.end(), changes.begin(), changes.end());
    report.changes.insert(report.changes.end(), changes.begin(), changes.end());
    report.problems.insert(report.problems.end(), problems.begin(), problems.end());
  }
  ComponentOutcome& outcome(std::size_t index) { return report.components[index]; }
  bool holds(const std::string& artifact) const {
    return std::any_of(components.begin(), components.end(), [&](const ComponentFiles& c) {
      return c.artifact == artifact && held.count(c.name) != 0;
    });
  }
};

}  // namespace slipway
