#pragma once
// Which component versions must be laid down, switched to and removed. Pure.
#include <map>
#include <set>
#include <string>
#include <vector>

namespace slipway {

// What is on the host of one component.
struct InstalledComponent {
  std::set<std::string> versions;  // complete and unharmed ones
  std::set<std::string> broken;    // folders that are incomplete or were changed
  std::string current;             // where `current` leads; empty: nowhere, or to what is not whole
  std::string previous;            // was current before: kept for a way back

  bool operator==(const InstalledComponent&) const = default;
};

enum class InstallAction {
  fetch,     // download, verify, unpack as a version
  activate,  // flip `current`
  remove,    // delete a version's folder
};

struct InstallStep {
  InstallAction action = InstallAction::fetch;
  std::string component;
  std::string version;

  bool operator==(const InstallStep&) const = default;
};

// From component to version wanted. Components that are not wanted are left alone: removing them is a
// decision of its own. Order: for each component fetch, activate, then removals; a second pass on the result
// plans nothing. A broken version that is wanted is fetched again; other broken ones go. Kept: the wanted
// version and the one that was current before it.
std::vector<InstallStep> plan_install(const std::map<std::string, std::string>& desired,
                                      const std::map<std::string, InstalledComponent>& installed);

}  // namespace slipway
