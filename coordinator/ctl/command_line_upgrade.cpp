// `upgrade`: one version of Kubernetes to the next.
#include "coordinator/ctl/command_line_parts.hpp"

namespace slipway::ctl {

void add_upgrade(CLI::App& app, CommandLine& line) {
  CLI::App& group = *add_group(app, "upgrade", "Kubernetes of another version on the whole cluster");
  auto [plan, planned] = add_command<UpgradePlan>(
      group, line, "plan",
      "show what runs where, what would restart in which order, what is missing and what speaks against it; changes nothing and exits "
      "with 1 when the upgrade would be refused");
  plan->add_option("VERSION", planned->version, "such as v1.31.1; the one that is wanted now when absent");
  auto [apply, applied] =
      add_command<UpgradeApply>(group, line, "apply", "want this version from now on: masters take it first and one by one, then the nodes");
  apply->add_option("VERSION", applied->version, "such as v1.31.1")->required();
  apply->add_flag("--dry-run", applied->dry_run, "show the plan and change nothing");
  add_wait(*apply, applied->wait, applied->timeout, "wait until all live nodes run with it; ends with 1 as soon as one has failed");
  add_yes(*apply, applied->yes);
  add_command<UpgradePause>(group, line, "pause", "let no node begin with new settings or versions; who has begun finishes");
  add_command<UpgradePause>(group, line, "resume", "let nodes take new settings and versions again").second->undo = true;
  auto [status, shown] =
      add_command<UpgradeStatus>(group, line, "status", "show which nodes are done, wait, restart or have failed, and why");
  add_watch(*status, shown->watch);
}

}  // namespace slipway::ctl
