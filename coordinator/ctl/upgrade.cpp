// `upgrade`: from one version of Kubernetes to the next. The version is one of the cluster's settings; how it comes to the nodes is theirs and
// the coordinator's business.
#include "coordinator/ctl/cluster_settings.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/upgrade_output.hpp"
#include "coordinator/ctl/upgrade_plan.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

WallTime time_of(const Console& console) { return console.clock ? console.clock() : console.now; }

bool is_document(Format format) { return format == Format::json || format == Format::yaml; }

// Whether the coordinator would take the version, in its own words.
Status try_settings(proto::UpgradePlanReport& plan, const proto::ClusterSpec& spec, Connection& connection) {
  const auto tried = ask<proto::ClusterView>(connection, make_request(Method::post, "/v1/cluster/plan", proto::encode(spec)));
  if (tried) return {};
  const Errc code = tried.error().code;
  if (code == Errc::denied) {
    plan.notes.push_back("whether the coordinator takes the settings was not tried: that needs the role admin");
    return {};
  }
  if (code != Errc::invalid && code != Errc::conflict) return tried.error();
  add_refused(plan, tried.error());
  return {};
}

Result<proto::UpgradePlanReport> make_plan(const proto::ClusterView& view, const std::string& target, Connection& connection, WallTime now) {
  auto nodes = ask_all<proto::NodeList>(connection, "/v1/nodes");
  if (!nodes) return nodes.error();
  auto artifacts = ask_all<proto::ArtifactList>(connection, "/v1/artifacts");
  if (!artifacts) return artifacts.error();
  proto::UpgradePlanReport plan = plan_upgrade({view, std::move(nodes->items), std::move(artifacts->items)}, target, now);
  if (const Status tried = try_settings(plan, with_kubernetes(view.spec, target), connection); !tried) return tried.error();
  return plan;
}

std::string text_of(const proto::UpgradePlanReport& plan, Format format) {
  return is_document(format) ? render_document(proto::encode(plan), format) : upgrade_plan_text(plan, format == Format::wide);
}

// `wanted`: as it was answered. Who changes the version meanwhile makes others wait for this one in vain.
int wait_for(const UpgradeApply& wish, proto::ClusterView wanted, Connection& connection, Console& console) {
  const auto left = [&connection, &console, wanted = std::move(wanted)]() -> Result<std::vector<std::string>> {
    const auto nodes = ask_all<proto::NodeList>(connection, "/v1/nodes");
    if (!nodes) return nodes.error();
    return upgrade_left(wanted, nodes->items, time_of(console));
  };
  return wait_until("nodes that run with it", wish.timeout, left, console);
}

// The same version once more changes nothing; who waits may still want to.
int apply_plan(const UpgradeApply& wish, const LivingCluster& living, const proto::UpgradePlanReport& plan, Connection& connection, Console& console) {
  proto::ClusterView wanted = living.view;
  if (plan.version == plan.target) {
    console.err << "Kubernetes " << plan.target << " is wanted already: nothing changes\n";
  } else {
    const std::string question = "bring cluster " + living.view.spec.metadata.name + " from Kubernetes " + plan.version + " to " + plan.target + ", where " +
                                 std::to_string(restarting_nodes(plan)) + " of " + std::to_string(plan.nodes.size()) + " nodes restart components";
    if (!confirmed(wish.yes, question, console)) return k_usage;
    auto applied = put_cluster(proto::encode(with_kubernetes(living.view.spec, plan.target)), living.etag, connection);
    if (!applied) return fail(console, applied.error());
    wanted = std::move(*applied);
    console.err << "Kubernetes " << plan.target << " is wanted from now on" << (plan.paused ? "; the rollout is paused: slipwayctl upgrade resume lets it begin" : "")
                << "; slipwayctl upgrade status shows how far it is. If you keep a cluster.yaml, write the version there too\n";
  }
  return wish.wait ? wait_for(wish, std::move(wanted), connection, console) : static_cast<int>(k_ok);
}

}  // namespace

int show_upgrade_plan(const UpgradePlan& wish, Format format, Connection& connection, Console& console) {
  const auto wanted = wish.version.empty() ? Result<std::string>(std::string()) : upgrade_target(wish.version);
  if (!wanted) return fail(console, wanted.error());
  const auto living = read_cluster(connection);
  if (!living) return fail(console, living.error());
  const std::string target = wanted->empty() ? living->view.spec.versions.kubernetes : *wanted;
  const auto plan = make_plan(living->view, target, connection, time_of(console));
  if (!plan) return fail(console, plan.error());
  console.out << text_of(*plan, format);
  return is_refused(*plan) ? k_failed : k_ok;
}

int apply_upgrade(const UpgradeApply& wish, Format format, Connection& connection, Console& console) {
  const auto target = upgrade_target(wish.version);
  if (!target) return fail(console, target.error());
  const auto living = read_cluster(connection, true);
  if (!living) return fail(console, living.error());
  const auto plan = make_plan(living->view, *target, connection, time_of(console));
  if (!plan) return fail(console, plan.error());
  console.out << text_of(*plan, format) << std::flush;
  if (is_refused(*plan)) {
    console.err << "slipwayctl: Kubernetes " << *target << " was not applied: " << plan->refusals.size() + plan->missing.size() << " things speak against it, named in the plan\n";
    return k_failed;
  }
  return wish.dry_run ? static_cast<int>(k_ok) : apply_plan(wish, *living, *plan, connection, console);
}

int pause_rollout(const UpgradePause& wish, Format format, Connection& connection, Console& console) {
  auto living = read_cluster(connection, true);
  if (!living) return fail(console, living.error());
  const bool pause = !wish.undo;
  bool& paused = living->view.spec.rollout.paused;
  const bool changes = paused != pause;
  paused = pause;
  const auto view = changes ? put_cluster(proto::encode(living->view.spec), living->etag, connection) : Result<proto::ClusterView>(living->view);
  if (!view) return fail(console, view.error());
  if (is_document(format)) {
    console.out << render_document(proto::encode(*view), format);
    return k_ok;
  }
  const std::uint64_t busy = view->rollout ? view->rollout->restarting : 0;
  const std::string when = changes ? "" : " already";
  console.out << (pause ? "the rollout is paused" + when + ": no node begins with new settings or versions" +
                              (busy > 0 ? "; " + std::to_string(busy) + " restarting now will finish" : "")
                        : "the rollout goes on" + when + ": nodes ask again within seconds")
              << "\n";
  return k_ok;
}

int show_upgrade_status(Format format, Connection& connection, Console& console) {
  const auto living = read_cluster(connection);
  if (!living) return fail(console, living.error());
  const auto nodes = ask_all<proto::NodeList>(connection, "/v1/nodes");
  if (!nodes) return fail(console, nodes.error());
  const proto::UpgradeStatusReport status = upgrade_status(living->view, nodes->items, time_of(console));
  console.out << (is_document(format) ? render_document(proto::encode(status), format) : upgrade_status_text(status));
  return k_ok;
}

}  // namespace slipway::ctl
