// Settings of cluster, groups and nodes in the coordinator's state.
#include <catch2/catch.hpp>
#include <functional>

#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/node_overrides.hpp"
#include "coordinator/domain/rollout.hpp"
#include "coordinator/domain/settings_check.hpp"
#include "coordinator/store/records.hpp"
#include "proto/codec.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;

struct Cluster {
  Cluster() {
    must(demo_init());
    must(CreateToken{demo_token("abc123", 9)});
    for (int i = 1; i <= 2; ++i) {
      const std::string name = "n" + std::to_string(i);
      must(demo_admit(state, demo_request(name, 10 + i, "key" + name), "uid-" + name, "s" + name));
    }
  }
  Outcome must(const Operation& op) {
    changes.clear();
    const auto outcome = apply(state, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    CHECK(outcome->changed == !changes.empty());
    return *outcome;
  }
  void change(const std::function<void(proto::ClusterSpec&)>& how) {
    proto::ClusterSpec spec = state.cluster().spec;
    how(spec);
    must(ApplyCluster{spec, {}});
  }
  Node stored(const std::string& name) const {
    return std::get<Node>(*decode_record(encode_record(*state.node(name))));
  }

  State state;
  std::vector<Change> changes;
};

proto::NodeGroup group(const std::string& name, proto::NodeGroupMatch match) {
  proto::NodeGroup made{name, std::move(match), {}};
  made.settings.labels["group-" + name] = "yes";
  return made;
}

TEST_CASE("a node is in the groups that fit by name, role and pool", "[settings][state]") {
  Cluster cluster;
  cluster.change([](auto& spec) {
    spec.node_groups = {group("all", {}), group("two", {"", "", "n2"}), group("masters", {"master", "", ""}),
                        group("home", {"node", "default", "n*"}), group("elsewhere", {"", "other", ""})};
  });
  CHECK(groups_of(cluster.state, *cluster.state.node("n1")) == std::vector<std::string>{"all", "home"});
  CHECK(groups_of(cluster.state, *cluster.state.node("n2")) ==
        std::vector<std::string>{"all", "two", "home"});
  const auto desired = desired_state(cluster.state);
  CHECK(desired.overrides.at("n2").groups.size() == 3);
  CHECK(proto::encode(desired.overrides.at("n1")) == R"({"groups":["all","home"]})");
  CHECK(proto::decode<proto::DesiredState>(proto::encode(desired))->overrides == desired.overrides);
  CHECK(marks_of(cluster.state, *cluster.state.node("n1")).labels.size() == 2);
  cluster.change([](auto& spec) { spec.node_groups.clear(); });
  CHECK(desired_state(cluster.state).overrides.empty());
}

TEST_CASE("a node's own settings are kept in its record and told to agents", "[settings][state]") {
  Cluster cluster;
  const std::string plain = encode_record(*cluster.state.node("n1")).value;
  CHECK(plain.find("settings") == std::string::npos);  // who has none pays nothing for it
  const std::uint64_t before = cluster.state.desired_revision();
  proto::NodeSettings settings;
  settings.kubelet.config.text = R"({"maxPods":30})";
  settings.labels = {{"disk", "ssd"}, {"gone", std::nullopt}};
  CHECK(cluster.must(SetNodeSettings{"n1", settings}).changed);
  CHECK(cluster.state.desired_revision() > before);
  CHECK_FALSE(cluster.must(SetNodeSettings{"n1", settings}).changed);
  CHECK(cluster.stored("n1") == *cluster.state.node("n1"));
  CHECK(desired_state(cluster.state).overrides.at("n1").settings == settings);
  const std::uint64_t revision = cluster.state.desired_revision();
  CHECK(cluster.must(RecordMarks{"uid-n1", {"disk"}, {"k:NoSchedule"}}).changed);
  CHECK(cluster.state.desired_revision() == revision);  // nothing for agents
  CHECK(cluster.stored("n1").extras.get().applied_taints == std::vector<std::string>{"k:NoSchedule"});
  cluster.must(SetNodeSettings{"n1", {}});
  cluster.must(RecordMarks{"uid-n1", {}, {}});
  CHECK(encode_record(*cluster.state.node("n1")).value == plain);
}

TEST_CASE("settings that no node can have are refused with all problems", "[settings][state]") {
  Cluster cluster;
  proto::NodeSettings bad;
  bad.kubelet.config.text = R"({"evictionHrd":{},"authentication":{}})";
  bad.kubelet.extra_args = {"v=2", "--config=/x"};
  bad.kube_proxy.config.text = R"({"moode":"ipvs"})";
  bad.labels = {{"kubernetes.io/hostname", "x"}, {"a b", "x"}, {"ok", "not ok"}};
  bad.taints = {"k:Never", "a:NoSchedule", "a=b:NoSchedule"};
  const auto refused = apply(cluster.state, SetNodeSettings{"n1", bad}, cluster.changes);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
  for (const char* place :
       {"/kubelet/config/evictionHrd", "/kubelet/config/authentication", "/kubelet/extraArgs/0",
        "/kubelet/extraArgs/1", "/kubeProxy/config/moode", "/labels/kubernetes.io~1hostname", "/labels/a b",
        "/labels/ok", "/taints/0", "/taints/2"}) {
    INFO(place);
    CHECK(refused.error().message.find(place) != std::string::npos);
  }
  const auto nobody = apply(cluster.state, SetNodeSettings{"nobody", {}}, cluster.changes);
  CHECK(nobody.error().code == Errc::not_found);
  proto::ClusterSpec spec = cluster.state.cluster().spec;
  spec.node_groups = {group("a", {"king", "", ""}), group("a", {})};
  spec.node_groups[0].settings.kubelet.config.text = R"({"nope":1})";
  spec.rollout.max_unavailable.text = "0";
  const auto cluster_refused = apply(cluster.state, ApplyCluster{spec, {}}, cluster.changes);
  REQUIRE_FALSE(cluster_refused);
  for (const char* place : {"/nodeGroups/0/match/role", "/nodeGroups/1/name",
                            "/nodeGroups/0/kubelet/config/nope", "/rollout/maxUnavailable"})
    CHECK(cluster_refused.error().message.find(place) != std::string::npos);
}

TEST_CASE("the budget is a number or a part, at least one node", "[settings][rollout]") {
  CHECK(max_unavailable({"3"}, 10) == 3);
  CHECK(max_unavailable({"10%"}, 10) == 1);
  CHECK(max_unavailable({"10%"}, 5) == 1);
  CHECK(max_unavailable({"25%"}, 10) == 2);
  CHECK(max_unavailable({"100%"}, 10) == 10);
  for (const char* bad : {"0", "0%", "101%", "-1", "", "x", "%"}) CHECK_FALSE(max_unavailable({bad}, 10));
}

TEST_CASE("who may restart depends on who is away", "[settings][rollout]") {
  struct Case {
    const char* what;
    RolloutFleet others;
    RolloutAsker asker;
    const char* reason;  // empty: it may
  };
  const std::vector<Case> cases = {
      {"nobody is away", {1, {}, {}, {}, ""}, {}, ""},
      {"one restarts", {1, {"n1"}, {}, {}, ""}, {}, "n1"},
      {"one restarts of two that may", {2, {"n1"}, {}, {}, ""}, {}, ""},
      {"one restarts and one is down", {2, {"n1"}, {"n2"}, {}, ""}, {}, "n1, n2"},
      {"who is down itself takes nobody away", {1, {}, {"n2"}, {}, ""}, {false, true}, ""},
      {"but not beside one that restarts", {1, {"n1"}, {}, {}, ""}, {false, true}, "n1"},
      {"one has failed", {5, {}, {}, {"n3"}, ""}, {}, "n3 did not come up"},
      {"another master is away", {5, {"m1"}, {}, {}, "m1"}, {true, false}, "one at a time"},
      {"a node beside a master", {5, {"m1"}, {}, {}, "m1"}, {}, ""},
      {"paused", {5, {}, {}, {}, "", true}, {}, "slipwayctl upgrade resume"},
      {"paused, for masters and who is down too", {5, {}, {}, {}, "", true}, {true, true}, "paused"},
      {"an old kubelet before the control plane", {5, {}, {}, {}, "", false, "1.31.1", {"m1", "m2"}}, {false, false, true},
       "kube-apiserver of m1, m2 is not up with Kubernetes 1.31.1"},
      {"a kubelet that has the version", {5, {}, {}, {}, "", false, "1.31.1", {"m1"}}, {false, false, false}, ""},
      {"an old kubelet behind the control plane", {5, {}, {}, {}, "", false, "1.31.1", {}}, {false, false, true}, ""},
      {"another master that is behind too", {5, {}, {}, {}, "", false, "1.31.1", {"m2"}}, {true, false, true}, ""},
  };
  for (const Case& one : cases) {
    INFO(one.what);
    const std::string reason = why_not_restart(one.others, one.asker);
    CHECK(reason.empty() == (*one.reason == '\0'));
    CHECK(reason.find(one.reason) != std::string::npos);
  }
}

TEST_CASE("a control plane serves newer kubelets when it is up with their version", "[settings][rollout]") {
  const auto master = [](const char* version, const char* state, const char* settings) {
    proto::NodeStatusReport report;
    report.components = {{"kubelet", "1.30.3", "running", 0, 0, ""}, {"kube-apiserver", version, state, 0, 0, ""}};
    report.settings.emplace().state = settings;
    return report;
  };
  CHECK(serves(master("1.31.1", "running", "applied"), "1.31.1"));
  CHECK(serves(master("1.31.2", "running", "waiting"), "1.31.1"));  // kubelets may go back a little
  CHECK_FALSE(serves(master("1.30.3", "running", "applied"), "1.31.1"));
  CHECK_FALSE(serves(master("1.9.10", "running", "applied"), "1.10.0"));
  CHECK_FALSE(serves(master("1.31.1", "running", "restarting"), "1.31.1"));  // on trial, it may go back
  CHECK_FALSE(serves(master("1.31.1", "crash-loop", "applied"), "1.31.1"));
  CHECK_FALSE(serves(master("", "running", "applied"), "1.31.1"));
  CHECK_FALSE(serves(proto::NodeStatusReport{}, "1.31.1"));
  CHECK(runs_at_least(master("", "", ""), "kubelet", "1.30.3"));
  CHECK_FALSE(runs_at_least(master("", "", ""), "kubelet", "1.31.1"));
  CHECK_FALSE(runs_at_least(master("", "", ""), "kube-proxy", "1.18.0"));
}

}  // namespace
}  // namespace slipway
