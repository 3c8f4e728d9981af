#include "proto/settings.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "proto/codec.hpp"
#include "common/kube/component_settings.hpp"

using namespace slipway;
using namespace slipway::proto;
using slipway::kube::kube_proxy_problems;
using slipway::kube::kubelet_problems;

namespace {

SettingsLevel level(const std::string& name, const std::string& json) {
  auto settings = decode_strict<NodeSettings>(json);
  INFO((settings ? std::string() : settings.error().message));
  REQUIRE(settings);
  return {name, *settings};
}

std::string line_of(const std::vector<SettingValue>& values, const std::string& path) {
  for (const SettingValue& value : values) {
    if (value.path == path) return value.value + " from " + value.level;
  }
  return "absent";
}

const std::vector<SettingsLevel>& three() {
  static const std::vector<SettingsLevel> levels = {
      level(
          "cluster",
          R"({"kubelet": {"config": {"maxPods": 110, "evictionHard": {"memory.available": "100Mi", "nodefs.available": "10%"}},
                           "extraArgs": ["--v=2", "--feature-gates=A=true"]},
                           "kubeProxy": {"config": {"mode": "iptables"}}, "labels": {"tier": "all", "zone": "a"}, "taints": ["old:NoSchedule", "old=x:NoExecute"]})"),
      level(
          "group gpu",
          R"({"kubelet": {"config": {"evictionHard": {"memory.available": "1Gi"}, "maxPods": null}}, "labels": {"gpu": "yes", "zone": null},
                             "taints": ["gpu=only:NoSchedule", "old-"]})"),
      level(
          "node",
          R"({"kubelet": {"config": {"evictionHard": null}, "extraArgs": ["--v=6"]}, "kubeProxy": {"extraArgs": ["--v=9"]},
                        "taints": ["gpu=mine:NoSchedule"]})")};
  return levels;
}

}  // namespace

TEST_CASE("levels of settings are merged, inner over outer", "[settings]") {
  const NodeSettings all = merged(three());
  // null stays: it may take away what Slipway renders.
  CHECK(all.kubelet.config.text == R"({"evictionHard":null,"maxPods":null})");
  CHECK(all.kubelet.extra_args == std::vector<std::string>{"--feature-gates=A=true", "--v=6"});
  CHECK(all.kube_proxy.config.text == R"({"mode":"iptables"})");
  CHECK(all.kube_proxy.extra_args == std::vector<std::string>{"--v=9"});
  CHECK(all.labels == std::map<std::string, std::optional<std::string>>{{"gpu", "yes"}, {"tier", "all"}});
  CHECK(all.taints == std::vector<std::string>{"gpu=mine:NoSchedule"});
  CHECK(merged({}).kubelet.config.text == "{}");
}

TEST_CASE("each value is shown with the level it comes from", "[settings]") {
  const auto values = values_of(three());
  CHECK(line_of(values, "kubelet.config/maxPods") == "null from group gpu");
  CHECK(line_of(values, "kubelet.config/evictionHard") == "null from node");
  CHECK(line_of(values, "kubelet.config/evictionHard/memory.available") == "absent");
  CHECK(line_of(values, "kubelet.extraArgs/--v") == "\"--v=6\" from node");
  CHECK(line_of(values, "kubelet.extraArgs/--feature-gates") == "\"--feature-gates=A=true\" from cluster");
  CHECK(line_of(values, "labels/zone") == "absent");
  CHECK(line_of(values, "labels/gpu") == "\"yes\" from group gpu");
  CHECK(line_of(values, "taints/gpu:NoSchedule") == "\"mine\" from node");
  CHECK(line_of(values, "taints/old:NoExecute") == "absent");
  const std::vector<SettingsLevel> two(three().begin(), three().begin() + 2);
  CHECK(line_of(values_of(two), "kubelet.config/evictionHard/memory.available") == "\"1Gi\" from group gpu");
  CHECK(line_of(values_of(two), "kubelet.config/evictionHard/nodefs.available") == "\"10%\" from cluster");
}

TEST_CASE("differences are between what runs and what is wanted, labels apart", "[settings]") {
  const std::vector<SettingsLevel> before(three().begin(), three().begin() + 1);
  CHECK(differences(merged(before), before).empty());
  const auto found = differences(merged(before), three());
  std::vector<std::string> lines;
  for (const SettingDifference& one : found)
    lines.push_back(one.path + ": " + one.running + " -> " + one.wanted);
  CHECK(lines == std::vector<std::string>{
                     "kubeProxy.extraArgs/--v:  -> \"--v=9\"", "kubelet.config/evictionHard:  -> null",
                     "kubelet.config/evictionHard/memory.available: \"100Mi\" -> ",
                     "kubelet.config/evictionHard/nodefs.available: \"10%\" -> ",
                     "kubelet.config/maxPods: 110 -> null", "kubelet.extraArgs/--v: \"--v=2\" -> \"--v=6\""});
}

TEST_CASE("groups that a node is in count in the cluster's order", "[settings]") {
  ClusterSpec cluster;
  cluster.kubelet.extra_args = {"--v=1"};
  for (const char* name : {"a", "b", "c"}) {
    NodeGroup group;
    group.name = name;
    group.settings.labels["last"] = name;
    cluster.node_groups.push_back(group);
  }
  NodeOverrides own{{"c", "a", "gone"}, {}};
  auto levels = levels_of(cluster, own);
  REQUIRE(levels.size() == 3);
  CHECK(levels[1].name == "group a");
  CHECK(merged(levels).labels.at("last") == "c");
  own.settings.labels["last"] = std::nullopt;
  CHECK(merged(levels_of(cluster, own)).labels.empty());
}

TEST_CASE("labels and taints have Kubernetes' grammar", "[settings]") {
  for (const char* good : {"a", "A-b_c.d", "example.com/x", "node-role.kubernetes.io/gpu"})
    CHECK(is_label_key(good));
  for (const char* bad : {"", "-a", "a-", "a/b/c", "/a", "a/", "Ex ample", "EXAMPLE.com/x"})
    CHECK_FALSE(is_label_key(bad));
  CHECK_FALSE(is_label_key(std::string(64, 'a')));
  CHECK(is_label_value(""));
  CHECK_FALSE(is_label_value("a b"));
  CHECK(parse_taint("k=v:NoSchedule")->text() == "k=v:NoSchedule");
  CHECK(parse_taint("k:NoExecute-")->taken_away);
  CHECK(parse_taint("example.com/k-")->key == "example.com/k");
  for (const char* bad : {"", "k", "k=v", "k:Never", ":NoSchedule", "k=a b:NoSchedule", "k:"}) {
    INFO(bad);
    CHECK_FALSE(parse_taint(bad));
  }
}

TEST_CASE("names that a component does not know are refused with what was meant", "[settings]") {
  const auto first = [](const char* config, int minor) {
    const auto found = kubelet_problems({{config}, {}}, minor);
    return found.empty() ? std::string() : found.front().where + ": " + found.front().what;
  };
  CHECK(first(R"({"maxPods": 5, "evictionHard": {}})", 20) == "");
  CHECK(first(R"({"evictionHrd": {}})", 20)
            .find("config/evictionHrd: evictionHrd is no field of KubeletConfiguration in Kubernetes 1.20; "
                  "did you mean evictionHard?") == 0);
  CHECK(first(R"({"seccompDefault": true})", 20).find("with Kubernetes 1.22") != std::string::npos);
  CHECK(first(R"({"seccompDefault": true})", 22) == "");
  CHECK(first(R"({"readOnlyPort": 1})", 20).find("Slipway decides it") != std::string::npos);
  CHECK(kube_proxy_problems({{R"({"mode": "ipvs"})"}, {"--v=4"}}, 20).empty());
  CHECK(kube_proxy_problems({{R"({"moode": "ipvs", "clientConnection": {}})"}, {"--kubeconfig=/x", "v"}}, 20)
            .size() == 4);
  const auto label = [](const char* argument) { return kubelet_problems({{}, {argument}}, 20); };
  CHECK(label("--node-labels=a=b,node.kubernetes.io/x=y,topology.kubernetes.io/zone=z").empty());
  REQUIRE(label("--node-labels=a=b,node-role.kubernetes.io/gpu=").size() == 1);
  CHECK(label("--node-labels=a=b,node-role.kubernetes.io/gpu=").front().what.find("write it under labels") !=
        std::string::npos);
}

TEST_CASE("an amount is a number or a part, and null in a map of labels is kept", "[settings][codec]") {
  CHECK(encode(RolloutSettings{{"2"}}) == R"({"maxUnavailable":2,"paused":false})");
  CHECK(encode(RolloutSettings{{"10%"}}) == R"({"maxUnavailable":"10%","paused":false})");
  CHECK(decode_strict<RolloutSettings>(R"({"maxUnavailable": 7})")->max_unavailable.text == "7");
  CHECK_FALSE(decode_strict<RolloutSettings>(R"({"maxUnavailable": 2})")->paused);  // of before there were pauses
  CHECK_FALSE(decode_strict<RolloutSettings>(R"({"maxUnavailable": 1.5})"));
  CHECK_FALSE(decode_strict<RolloutSettings>(R"({"maxUnavailable": -1})"));
  NodeSettings settings;
  settings.labels = {{"a", "b"}, {"c", std::nullopt}};
  CHECK(encode(settings).find(R"("labels":{"a":"b","c":null})") != std::string::npos);
  CHECK(decode_strict<NodeSettings>(encode(settings)).value() == settings);
}
