#include "agent/preflight_fix.hpp"

#include <algorithm>

#include "agent/kernel_undo.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/render/traces.hpp"
#include "common/async/runtime.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

// Which other files there are is a matter of the backend, which is not known yet.
bool is_fix(const NetworkStep& step) {
  if (const auto* write = std::get_if<WriteNetworkFile>(&step))
    return write->file == NetworkFile::sysctl || write->file == NetworkFile::modules;
  return std::holds_alternative<LoadModule>(step) || std::holds_alternative<SetSysctl>(step);
}

// Marks of the pod network are noted when it is set up.
std::vector<Intent> fix_intents(const std::string& etc) {
  std::vector<Intent> intents = network_intents(etc);
  std::erase_if(intents, [](const Intent& intent) {
    return intent.kind != ChangeKind::module && intent.kind != ChangeKind::sysctl &&
           intent.kind != ChangeKind::file;
  });
  return intents;
}

KernelNetworkPaths network_paths(const FixPaths& paths) {
  KernelNetworkPaths of_network;
  of_network.proc_sys = paths.proc_sys;
  of_network.etc = paths.etc;
  return of_network;
}

UndoPaths undo_paths(const FixPaths& paths) {
  UndoPaths of_undo;
  of_undo.network.proc_sys = paths.proc_sys;
  of_undo.sys = paths.sys;
  return of_undo;
}

}  // namespace

std::vector<NetworkStep> preflight_fixes(const std::vector<NetworkStep>& steps) {
  std::vector<NetworkStep> fixes;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(fixes), is_fix);
  return fixes;
}

Result<std::vector<std::string>> fix_preflight(const std::string& data_dir, const FixPaths& paths) {
  if (path_exists(data_dir + "/node.json"))
    return make_error(Errc::conflict,
                      "this host is a node already: its agent keeps modules and sysctls as they must be");
  const EventThread thread("preflight");
  auto network = KernelNetwork::open(thread.executor(), network_paths(paths));
  if (!network) return network.error();
  const auto seen = (*network)->observe();
  if (!seen) return seen.error();
  // Whatever the pod network will be: this every backend needs.
  NetworkDesired wanted;
  wanted.backend = NetworkBackend::external;
  const std::vector<NetworkStep> fixes = preflight_fixes(plan_network(wanted, *seen));
  std::vector<std::string> done;
  if (fixes.empty()) return done;
  if (auto noted = note_changes(data_dir, fix_intents(paths.etc), undo_paths(paths)); !noted) return noted.error();
  const std::vector<Status> results = (*network)->apply(fixes);
  for (std::size_t i = 0; i < fixes.size() && i < results.size(); ++i) {
    if (!results[i]) return error_of(results[i], describe(fixes[i]));
    done.push_back(describe(fixes[i]));
  }
  return done;
}

}  // namespace slipway
