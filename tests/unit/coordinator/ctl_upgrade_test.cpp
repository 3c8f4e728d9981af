// `upgrade`: what a plan says of a fleet, how far it is, and the verbs against a coordinator that is a table of answers.
#include <catch2/catch.hpp>
#include <algorithm>
#include <tuple>

#include "coordinator/ctl/upgrade_output.hpp"
#include "coordinator/ctl/upgrade_plan.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

bool says(const std::string& text, const std::string& part) {
  INFO(text << " | " << part);
  return text.find(part) != std::string::npos;
}

constexpr std::uint64_t k_revision = 9;

proto::NodeView running(const std::string& name, const std::string& version) {
  proto::NodeView view = node(name);
  view.settings = "applied";
  view.applied_revision = k_revision;
  for (const char* component : {"containerd", "kubelet", "kube-proxy"}) view.components.push_back({component, version, "running", 0, 0, ""});
  view.components[0].version = "1.7.27";
  return view;
}

proto::NodeView master(const std::string& name, const std::string& version) {
  proto::NodeView view = running(name, version);
  view.role = "master";
  for (const char* component : {"kube-apiserver", "kube-controller-manager", "kube-scheduler"})
    view.components.push_back({component, version, "running", 0, 0, ""});
  view.components.push_back({"etcd", "3.5.15", "running", 0, 0, ""});
  return view;
}

void import_kubernetes(UpgradeFacts& facts, const std::string& version) {
  for (const char* component : {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"})
    facts.artifacts.push_back({component, version, "file", "", 1, ""});
}

UpgradeFacts fleet() {
  UpgradeFacts facts;
  facts.cluster.spec.metadata.name = "demo";
  facts.cluster.spec.runtime = "containerd";
  facts.cluster.spec.versions = {"1.30.3", "3.5.15", "", "1.5.1", "1.7.27", "1.1.14", ""};
  facts.cluster.desired_revision = k_revision;
  facts.cluster.rollout = proto::RolloutView{};
  facts.cluster.rollout->max_unavailable = 2;
  facts.nodes = {running("a", "1.30.3"), running("b", "1.30.3"), master("m1", "1.30.3"), master("m2", "1.30.3")};
  for (const auto& [component, version] : {std::pair("etcd", "3.5.15"), std::pair("cni-plugins", "1.5.1"), std::pair("containerd", "1.7.27"), std::pair("runc", "1.1.14")})
    facts.artifacts.push_back({component, version, "file", "", 1, ""});
  import_kubernetes(facts, "1.30.3");
  import_kubernetes(facts, "1.31.1");
  return facts;
}

// All that speaks against it, as text.
std::string against(const UpgradeFacts& facts, const std::string& target) {
  const auto plan = plan_upgrade(facts, target, k_now);
  std::string text;
  for (const auto& one : plan.refusals) text += one.reason + " (" + one.cure + ")\n";
  for (const auto& one : plan.missing) text += one.component + " " + one.version + " (" + one.cure + ")\n";
  return text;
}

TEST_CASE("a plan says who restarts what, masters first and one by one", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  facts.nodes[1] = running("b", "1.31.1");  // has it already
  const auto plan = plan_upgrade(facts, "1.31.1", k_now);
  CHECK_FALSE(is_refused(plan));
  CHECK(plan.version == "1.30.3");
  CHECK(plan.max_unavailable == 2);
  CHECK(restarting_nodes(plan) == 3);
  std::vector<std::pair<std::string, std::uint64_t>> turns;
  for (const auto& one : plan.nodes) turns.emplace_back(one.name, one.turn);
  CHECK(turns == std::vector<std::pair<std::string, std::uint64_t>>{{"m1", 1}, {"m2", 2}, {"a", 3}, {"b", 0}});
  const std::string text = upgrade_plan_text(plan, false);
  CHECK(says(text, "Kubernetes 1.30.3 -> 1.31.1: 3 nodes restart components"));
  CHECK(says(text, "at most 2 at once"));
  CHECK(says(text, "1     m1    master  kubelet, kube-proxy, kube-apiserver, kube-controller-manager, kube-scheduler 1.30.3 -> 1.31.1"));
  CHECK_FALSE(says(text, "containerd 1.7.27"));
  CHECK(says(upgrade_plan_text(plan, true), "containerd 1.7.27"));

  // What is left of the way to what is wanted already, and where it could go on from there.
  const auto rest = plan_upgrade(fleet(), "1.30.3", k_now);
  CHECK(restarting_nodes(rest) == 0);
  CHECK(rest.imported == std::vector<std::string>{"1.31.1"});
  CHECK(says(upgrade_plan_text(rest, false), "imported, and may be next: 1.31.1"));
}

TEST_CASE("what docker brings along is docker's in a plan", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  facts.cluster.spec.runtime = "docker";
  facts.cluster.spec.versions = {"1.30.3", "3.5.15", "27.3.1", "1.5.1", "", "", "0.3.17"};
  for (auto& one : facts.nodes) one.components[0].version = "27.3.1";
  CHECK(restarting_nodes(plan_upgrade(facts, "1.30.3", k_now)) == 0);
  const std::string missing = against(facts, "1.30.3");
  CHECK(says(missing, "docker 27.3.1 (slipwayctl artifact import --component docker --version 27.3.1 FILE)"));
  CHECK(says(missing, "cri-dockerd 0.3.17"));
  CHECK_FALSE(says(missing, "containerd 1.7.27"));
}

TEST_CASE("a version that is too far, behind, or not imported is refused with the cure", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  CHECK(against(facts, "1.31.1").empty());
  CHECK(says(against(facts, "1.31.2"), "kube-apiserver 1.31.2 (slipwayctl artifact fetch --kubernetes v1.31.2)"));
  import_kubernetes(facts, "1.33.0");
  CHECK(says(against(facts, "1.33.0"), "one minor at a time, and 1.33.0 skips 1.31 to 1.32 for m1 (kubelet 1.30.3), m2"));
  CHECK(says(against(facts, "1.33.0"), "slipwayctl upgrade apply a version of 1.31 first"));
  import_kubernetes(facts, "1.29.9");
  CHECK(says(against(facts, "1.29.9"), "does not go back to an older minor, and no kubelet may be newer than kube-apiserver"));
  CHECK(says(against(facts, "1.29.9"), "name a version of 1.30 or newer"));
  import_kubernetes(facts, "1.30.1");
  CHECK(against(facts, "1.30.1").empty());  // a patch may be taken back

  // Wanted, and run by nobody yet: the way back is free. Once one runs it, it is not.
  facts.cluster.spec.versions.kubernetes = "1.31.1";
  CHECK(against(facts, "1.30.3").empty());
  facts.nodes[2] = master("m1", "1.31.1");
  CHECK(says(against(facts, "1.30.3"), "m1 (kubelet 1.31.1) runs what is newer than 1.30.3"));

  // A straggler is to come along first, one that is switched off need not.
  facts = fleet();
  facts.nodes[0] = running("a", "1.29.9");
  CHECK(says(against(facts, "1.31.1"), "skips 1.30 for a (kubelet 1.29.9) (slipwayctl upgrade status says why 1.30, which is wanted, does not run there yet)"));
  facts.nodes[0].last_contact = to_rfc3339(k_now - Seconds(3600));
  CHECK(against(facts, "1.31.1").empty());
  const auto plan = plan_upgrade(facts, "1.31.1", k_now);
  CHECK(says(upgrade_plan_text(plan, false), "it follows when it is back"));

  // Nobody tells: the settings count.
  facts.nodes.clear();
  CHECK(says(against(facts, "1.33.0"), "skips 1.31 to 1.32 for the settings (1.30.3)"));
}

TEST_CASE("versions are written with or without a v, and whole", "[ctl][upgrade]") {
  CHECK(upgrade_target("v1.31.1").value() == "1.31.1");
  CHECK(upgrade_target("1.31.1").value() == "1.31.1");
  for (const char* bad : {"1.31", "latest", "", "v", "2.0.0", "1.31.x"}) CHECK_FALSE(upgrade_target(bad));
}

TEST_CASE("how far nodes are, with the reason", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  facts.cluster.spec.versions.kubernetes = "1.31.1";
  facts.nodes = {running("done", "1.31.1"), running("old", "1.31.1"), running("held", "1.30.3"), running("busy", "1.31.1"), running("gone", "1.30.3"),
                 master("m1", "1.31.1"), running("late", "1.30.3")};
  facts.nodes[1].applied_revision = k_revision - 1;
  facts.nodes[2].settings = "waiting";
  facts.nodes[2].settings_message = "m1 is away\x1b[2J";
  facts.nodes[3].settings = "restarting";
  facts.nodes[4].last_contact = to_rfc3339(k_now - Seconds(7200));
  auto status = upgrade_status(facts.cluster, facts.nodes, k_now);
  CHECK(status.version == "1.31.1");
  CHECK(std::tuple(status.done, status.waiting, status.restarting, status.failed, status.silent) == std::tuple(2U, 3U, 1U, 0U, 1U));
  std::string text = upgrade_status_text(status);
  CHECK(says(text, "2 of 7 done, 1 restarting, 3 waiting, 1 silent"));
  CHECK(says(text, "at most 2 nodes at once"));
  CHECK(says(text, "m1 is away?[2J"));
  CHECK(says(text, "has not seen the newest settings yet"));
  CHECK(says(text, "kubelet is still 1.30.3"));
  CHECK(says(text, "last heard 2h ago"));
  CHECK(text.find("busy") < text.find("held"));
  CHECK(text.find("held") < text.find("done  node"));
  CHECK(upgrade_left(facts.cluster, facts.nodes, k_now).value() == std::vector<std::string>{"old", "held", "busy", "late"});

  facts.nodes[3].settings = "failed";
  facts.nodes[3].settings_message = "kubelet does not run";
  status = upgrade_status(facts.cluster, facts.nodes, k_now);
  CHECK(says(upgrade_status_text(status), "stopped: a node has failed"));
  const auto left = upgrade_left(facts.cluster, facts.nodes, k_now);
  REQUIRE_FALSE(left);
  CHECK(left.error().code == Errc::conflict);
  CHECK(says(left.error().message, "node busy has failed and the rollout has stopped: kubelet does not run"));
  facts.nodes[3].applied_revision = k_revision - 1;  // said of the settings before
  CHECK(upgrade_left(facts.cluster, facts.nodes, k_now));

  facts.cluster.spec.rollout.paused = true;
  CHECK(says(upgrade_status_text(upgrade_status(facts.cluster, facts.nodes, k_now)), "paused: nobody begins"));
}

// The coordinator's answers for a fleet.
void answer(FakeConnection& connection, const UpgradeFacts& facts) {
  connection.etag = "\"one\"";
  connection.on("GET /v1/cluster", 200, proto::encode(facts.cluster));
  connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{facts.nodes, ""}));
  connection.on("GET /v1/artifacts", 200, proto::encode(proto::ArtifactList{facts.artifacts, ""}));
  connection.on("POST /v1/cluster/plan", 200, proto::encode(facts.cluster));
  connection.on("PUT /v1/cluster", 200, proto::encode(facts.cluster));
}

std::size_t changes_in(const FakeConnection& connection) {
  return static_cast<std::size_t>(
      std::count_if(connection.requests.begin(), connection.requests.end(), [](const auto& one) { return one.method == http::Method::put; }));
}

TEST_CASE("upgrade plan asks and changes nothing", "[ctl][upgrade]") {
  FakeConnection connection;
  answer(connection, fleet());
  const Run planned = run(connection, UpgradePlan{"v1.31.1"});
  CHECK(planned.code == k_ok);
  CHECK(says(planned.out, "1.30.3 -> 1.31.1"));
  const auto document = proto::decode_strict<proto::UpgradePlanReport>(run(connection, UpgradePlan{"v1.31.1"}, Format::json).out);
  REQUIRE(document);
  CHECK(document->nodes.size() == 4);
  CHECK(run(connection, UpgradePlan{}).code == k_ok);
  CHECK(run(connection, UpgradePlan{"soon"}).code == k_usage);
  CHECK(run(connection, UpgradePlan{"v1.33.0"}).code == k_failed);
  CHECK(changes_in(connection) == 0);

  // The coordinator's own word on the settings, line by line.
  connection.on("POST /v1/cluster/plan", 400,
                problem(Errc::invalid, "the cluster cannot be made as written:\n  /runtime: docker requires cri-dockerd\n  /kubelet/extraArgs/0: --x is gone"));
  const Run refused = run(connection, UpgradePlan{"v1.31.1"});
  CHECK(refused.code == k_failed);
  CHECK(says(refused.out, "speaks against it:\n  /runtime: docker requires cri-dockerd ("));
  CHECK(says(refused.out, "/kubelet/extraArgs/0: --x is gone"));
  CHECK_FALSE(says(refused.out, "cannot be made"));
  // Who may only look still gets a plan.
  connection.on("POST /v1/cluster/plan", 403, problem(Errc::denied, "needs the role admin"));
  const Run viewed = run(connection, UpgradePlan{"v1.31.1"});
  CHECK(viewed.code == k_ok);
  CHECK(says(viewed.out, "that needs the role admin"));
  connection.on("POST /v1/cluster/plan", 503, problem(Errc::unavailable, "restarting"));
  CHECK(run(connection, UpgradePlan{"v1.31.1"}).code == k_failed);
}

TEST_CASE("upgrade apply sets the version on what was looked at, when nothing speaks against it", "[ctl][upgrade]") {
  FakeConnection connection;
  answer(connection, fleet());
  UpgradeApply wish{"v1.31.1"};
  const Run unasked = run(connection, wish);
  CHECK(unasked.code == k_usage);
  CHECK(says(unasked.err, "bring cluster demo from Kubernetes 1.30.3 to 1.31.1, where 4 of 4 nodes restart components"));
  wish.dry_run = true;
  CHECK(run(connection, wish).code == k_ok);
  wish.dry_run = false;
  wish.yes = true;
  wish.version = "v1.33.0";
  const Run refused = run(connection, wish);
  CHECK(refused.code == k_failed);
  CHECK(says(refused.out, "one minor at a time"));
  CHECK(says(refused.err, "Kubernetes 1.33.0 was not applied"));
  wish.version = "v1.30.3";
  CHECK(says(run(connection, wish).err, "is wanted already: nothing changes"));
  CHECK(changes_in(connection) == 0);
  wish.version = "v1.31.1";
  CHECK(run(connection, wish).code == k_ok);
  REQUIRE(changes_in(connection) == 1);
  const http::Request& put = connection.requests.back();
  CHECK(*put.headers.find("If-Match") == "\"one\"");
  const auto sent = proto::decode_strict<proto::ClusterSpec>(put.body);
  REQUIRE(sent);
  CHECK(*sent == with_kubernetes(fleet().cluster.spec, "1.31.1"));
}

TEST_CASE("upgrade apply --wait ends when all run with it, or one has failed", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  FakeConnection connection;
  answer(connection, facts);
  UpgradeApply wish{"v1.31.1"};
  wish.yes = wish.wait = true;
  wish.timeout = "1m";
  proto::ClusterView applied = facts.cluster;
  applied.spec.versions.kubernetes = "1.31.1";
  connection.on("PUT /v1/cluster", 200, proto::encode(applied));
  const auto becomes = [&](std::size_t at, proto::NodeView view) {
    facts.cluster.spec.versions.kubernetes = "1.31.1";
    facts.nodes[at] = std::move(view);
    answer(connection, facts);
  };
  Waiting going;
  going.changes = {[&] { becomes(2, master("m1", "1.31.1")); },
                   [&] {
                     becomes(3, master("m2", "1.31.1"));
                     becomes(0, running("a", "1.31.1"));
                     becomes(1, running("b", "1.31.1"));
                   }};
  CHECK(going.run(connection, wish) == k_ok);
  CHECK(going.pauses == 2);
  CHECK(says(going.err.str(), "nodes that run with it: 3 missing: a, b, m2"));
  proto::NodeView sick = running("a", "1.30.3");
  sick.settings = "failed";
  sick.settings_message = "kubelet does not run";
  becomes(0, sick);
  Waiting failing;
  CHECK(failing.run(connection, wish) == k_failed);
  CHECK(failing.pauses == 0);
  CHECK(says(failing.err.str(), "slipwayctl: node a has failed"));
}

TEST_CASE("a rollout is paused and goes on, each once", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  facts.cluster.rollout->restarting = 1;
  FakeConnection connection;
  answer(connection, facts);
  const Run paused = run(connection, UpgradePause{});
  CHECK(paused.code == k_ok);
  CHECK(says(paused.out, "the rollout is paused: no node begins with new settings or versions; 1 restarting now will finish"));
  REQUIRE(changes_in(connection) == 1);
  CHECK(*connection.requests.back().headers.find("If-Match") == "\"one\"");
  CHECK(proto::decode_strict<proto::ClusterSpec>(connection.requests.back().body)->rollout.paused);
  CHECK(says(run(connection, UpgradePause{true}).out, "goes on already"));
  CHECK(changes_in(connection) == 1);
  facts.cluster.spec.rollout.paused = true;
  answer(connection, facts);
  CHECK(says(run(connection, UpgradePlan{"v1.31.1"}).out, "the rollout is paused: nobody begins before slipwayctl upgrade resume"));
  CHECK(says(run(connection, UpgradePause{}).out, "is paused already"));
  CHECK(says(run(connection, UpgradePause{true}).out, "the rollout goes on: nodes ask again"));
  CHECK_FALSE(proto::decode_strict<proto::ClusterSpec>(connection.requests.back().body)->rollout.paused);

  // Settings of a newer coordinator would be lost: they are not written back.
  std::string newer = proto::encode(facts.cluster);
  newer.replace(newer.find("\"paused\""), 0, "\"canary\":true,");
  connection.on("GET /v1/cluster", 200, newer);
  const std::size_t before = changes_in(connection);
  const Run unknown = run(connection, UpgradePause{true});
  CHECK(unknown.code != k_ok);
  CHECK(says(unknown.err, "canary"));
  CHECK(changes_in(connection) == before);
  CHECK(run(connection, UpgradeStatus{}).code == k_ok);  // looking is safe
}

TEST_CASE("upgrade status shows the fleet and is looked at again", "[ctl][upgrade]") {
  UpgradeFacts facts = fleet();
  FakeConnection connection;
  answer(connection, facts);
  CHECK(says(run(connection, UpgradeStatus{}).out, "4 of 4 done"));
  const auto document = proto::decode_strict<proto::UpgradeStatusReport>(run(connection, UpgradeStatus{}, Format::json).out);
  REQUIRE(document);
  CHECK(document->done == 4);
  CHECK(document->nodes[2].api_server == "1.30.3");
  Waiting watching;
  watching.changes = {[&] {
    facts.nodes[0].settings = "restarting";
    answer(connection, facts);
  }};
  UpgradeStatus wish;
  wish.watch = true;
  watching.run(connection, wish);
  CHECK(says(watching.out.str(), "4 of 4 done"));
  CHECK(says(watching.out.str(), "3 of 4 done, 1 restarting"));
}

}  // namespace
}  // namespace slipway::ctl
