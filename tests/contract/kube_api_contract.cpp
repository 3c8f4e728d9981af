// The KubeApi port: the same cases against the fake and against a real kube-apiserver, see kube_api_rigs.hpp.
#include "tests/contract/kube_api_rigs.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace slipway;
using namespace slipway::test;
using namespace slipway::test::kube_rigs;
using nlohmann::json;

TEST_CASE("kube api contract: access is in force when ensure_access returns, and again is no error",
          "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    rig.revoke_access();
    CHECK(code_of(rig.list()) == Errc::denied);
    CHECK(code_of(rig.get("a")) == Errc::denied);
    CHECK(code_of(rig.set("a", "10.10.1.0/24")) == Errc::denied);
    CHECK(code_of(rig.remove("a")) == Errc::denied);
    CHECK(rig.spec("a").there);
    REQUIRE(rig.io.run(rig.api().ensure_access()));
    CHECK(rig.list());
    CHECK(rig.get("a"));
    CHECK(rig.set("a", "10.10.1.0/24"));
    CHECK(rig.io.run(rig.api().ensure_access()));
    CHECK(rig.io.run(rig.second().ensure_access()));
    CHECK(rig.remove("a"));
  });
}

TEST_CASE("kube api contract: the list holds every node once, however many and large", "[kube]") {
  constexpr int k_nodes = 700;
  // What kubelets write of images and conditions comes to this on busy nodes: 14 MB together.
  constexpr std::size_t k_padding = 20'000;
  for_each_rig([&](Rig& rig) {
    REQUIRE(rig.list());
    CHECK(rig.list()->empty());
    for (int i = 0; i < k_nodes; ++i)
      rig.add_node("node-" + std::to_string(i), i == 7 ? Cidrs{"10.10.7.0/24"} : Cidrs{}, k_padding);
    const auto nodes = rig.list();
    INFO(nodes);
    REQUIRE(nodes);
    std::set<std::string> names;
    for (const KubeNode& node : *nodes) {
      names.insert(node.name);
      CHECK(node.pod_cidrs == (node.name == "node-7" ? Cidrs{"10.10.7.0/24"} : Cidrs{}));
    }
    CHECK(nodes->size() == k_nodes);
    CHECK(names.size() == k_nodes);
  });
}

TEST_CASE("kube api contract: a node is found by its name", "[kube]") {
  for_each_rig([](Rig& rig) {
    CHECK(code_of(rig.get("a")) == Errc::not_found);
    rig.add_node("a");
    rig.add_node("b.example.org", {"10.10.3.0/24"});
    REQUIRE(rig.get("a"));
    CHECK(rig.get("a")->name == "a");
    CHECK(rig.get("a")->pod_cidrs.empty());
    REQUIRE(rig.get("b.example.org"));
    CHECK(rig.get("b.example.org")->pod_cidrs == Cidrs{"10.10.3.0/24"});
  });
}

TEST_CASE("kube api contract: what cannot be a node's name is refused", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    for (const char* name : {"", "a/status", "../nodes/a", "a?dryRun=All", "a%2fstatus", "A", "a b"}) {
      INFO(name);
      CHECK(code_of(rig.get(name)) == Errc::invalid);
      CHECK(code_of(rig.set(name, "10.10.1.0/24")) == Errc::invalid);
      CHECK(code_of(rig.remove(name)) == Errc::invalid);
      CHECK(code_of(rig.cordon(name, true)) == Errc::invalid);
      CHECK(code_of(rig.list_pods(name)) == Errc::invalid);
      CHECK(code_of(rig.evict({"default", name, "u", "", false, false, false})) == Errc::invalid);
    }
    CHECK(rig.spec("a").there);
    CHECK(rig.spec("a").pod_cidrs.empty());
  });
}

TEST_CASE("kube api contract: a block is written once and never replaced", "[kube]") {
  for_each_rig([](Rig& rig) {
    CHECK(code_of(rig.set("a", "10.10.1.0/24")) == Errc::not_found);
    CHECK_FALSE(rig.spec("a").there);
    rig.add_node("a");
    REQUIRE(rig.set("a", "10.10.1.0/24"));
    CHECK(rig.spec("a").pod_cidr == "10.10.1.0/24");
    CHECK(rig.spec("a").pod_cidrs == Cidrs{"10.10.1.0/24"});
    CHECK(rig.get("a")->pod_cidrs == Cidrs{"10.10.1.0/24"});
    CHECK(code_of(rig.set("a", "10.10.2.0/24")) == Errc::conflict);
    CHECK(rig.spec("a").pod_cidr == "10.10.1.0/24");
    CHECK(rig.spec("a").pod_cidrs == Cidrs{"10.10.1.0/24"});
    CHECK(rig.set("a", "10.10.1.0/24"));  // the same again
  });
}

TEST_CASE("kube api contract: of two that write at once one wins", "[kube]") {
  for_each_rig([](Rig& rig) {
    for (int round = 0; round < 20; ++round) {
      const std::string name = "node-" + std::to_string(round);
      rig.add_node(name);
      const auto first = rig.io.start(rig.api().set_pod_cidr(name, Cidr::parse("10.10.1.0/24").value()));
      const Status other = rig.io.run(rig.second().set_pod_cidr(name, Cidr::parse("10.10.2.0/24").value()));
      eventually([&] {
        rig.io.poll();
        return first->done;
      });
      const Status& one = *first->value;
      INFO(one << ", " << other);
      REQUIRE(one.has_value() != other.has_value());
      CHECK(code_of(one ? other : one) == Errc::conflict);
      CHECK(rig.spec(name).pod_cidrs == Cidrs{one ? "10.10.1.0/24" : "10.10.2.0/24"});
    }
  });
}

TEST_CASE("kube api contract: a node is cordoned and taken into use again", "[kube]") {
  for_each_rig([](Rig& rig) {
    CHECK(code_of(rig.cordon("a", true)) == Errc::not_found);
    rig.add_node("a", {"10.10.1.0/24"});
    CHECK_FALSE(rig.get("a")->unschedulable);
    REQUIRE(rig.cordon("a", true));
    CHECK(rig.cordon("a", true));
    CHECK(rig.spec("a").unschedulable);
    CHECK(rig.spec("a").pod_cidr == "10.10.1.0/24");
    CHECK(rig.get("a")->unschedulable);
    CHECK(rig.list()->at(0).unschedulable);
    REQUIRE(rig.cordon("a", false));
    CHECK_FALSE(rig.spec("a").unschedulable);
    CHECK_FALSE(rig.get("a")->unschedulable);
  });
}

TEST_CASE("kube api contract: labels and taints change, unless the object did", "[kube]") {
  for_each_rig([](Rig& rig) {
    const auto mark = [&rig](KubeMarks marks) { return rig.io.run(rig.api().set_marks("a", std::move(marks))); };
    const auto has = [](const KubeNode& node, const std::string& key) {
      return std::count_if(node.taints.begin(), node.taints.end(), [&key](const KubeTaint& taint) { return taint.key == key; });
    };
    CHECK(code_of(mark({{{"disk", "ssd"}}, {}, ""})) == Errc::not_found);
    rig.add_node("a", {"10.10.1.0/24"});
    const auto before = rig.get("a");
    REQUIRE(before);
    CHECK_FALSE(before->resource_version.empty());
    std::vector<KubeTaint> taints = before->taints;  // kube-apiserver may have put its own there
    taints.push_back({"dedicated", "gpu", "NoSchedule", ""});
    REQUIRE(mark({{{"disk", "ssd"}, {"node-role.kubernetes.io/gpu", ""}}, taints, before->resource_version}));
    const auto after = rig.get("a");
    REQUIRE(after);
    CHECK(after->labels.at("disk") == "ssd");
    CHECK(after->labels.at("node-role.kubernetes.io/gpu").empty());
    CHECK(has(*after, "dedicated") == 1);
    CHECK(after->resource_version != before->resource_version);
    // What was looked at is another object now.
    CHECK(code_of(mark({{{"disk", "tape"}}, {}, before->resource_version})) == Errc::conflict);
    REQUIRE(mark({{{"disk", std::nullopt}}, before->taints, after->resource_version}));
    const auto last = rig.list();
    REQUIRE(last);
    CHECK(last->at(0).labels.count("disk") == 0);
    CHECK(last->at(0).labels.count("node-role.kubernetes.io/gpu") == 1);
    CHECK(has(last->at(0), "dedicated") == 0);
    CHECK(last->at(0).pod_cidrs == Cidrs{"10.10.1.0/24"});
  });
}

TEST_CASE("kube api contract: the pods of a node, and no others", "[kube]") {
  for_each_rig([](Rig& rig) {
    for (const char* node : {"a", "b"}) rig.add_node(node);
    CHECK(rig.list_pods("a")->empty());
    rig.add_pod("a", "web-1", false);
    rig.add_pod("b", "web-2", false);
    const auto pods = rig.list_pods("a");
    INFO(pods);
    REQUIRE(pods);
    REQUIRE(pods->size() == 1);
    const KubePod& pod = pods->at(0);
    CHECK(pod.name_space == "default");
    CHECK(pod.name == "web-1");
    CHECK(pod.controller == "ReplicaSet");
    CHECK_FALSE(pod.uid.empty());
    CHECK_FALSE(pod.mirror);
    CHECK_FALSE(pod.ending);
    CHECK(rig.list_pods("nobody")->empty());
  });
}

TEST_CASE("kube api contract: a pod is evicted, one that a budget guards is not", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    rig.add_pod("a", "web-1", false);
    rig.add_pod("a", "web-2", true);
    const auto pods = rig.list_pods("a");
    REQUIRE(pods);
    REQUIRE(pods->size() == 2);
    for (const KubePod& pod : *pods) {
      KubePod another = pod;
      another.uid = "22222222-2222-4222-8222-222222222222";
      if (pod.name == "web-1") {
        CHECK(code_of(rig.evict(another)) == Errc::conflict);
        CHECK(rig.evict(pod));
        CHECK(rig.evict(pod));  // it is ending already, or gone
      } else {
        CHECK(code_of(rig.evict(pod)) == Errc::too_many);
      }
    }
    for (const KubePod& pod : *rig.list_pods("a")) CHECK(pod.ending == (pod.name == "web-1"));
    CHECK(rig.evict({"default", "never-was", "u", "", false, false, false}));
  });
}

TEST_CASE("kube api contract: deleting an absent node is no error", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    rig.add_node("b");
    CHECK(rig.remove("a"));
    CHECK_FALSE(rig.spec("a").there);
    CHECK(rig.remove("a"));
    CHECK(rig.spec("b").there);
  });
}

TEST_CASE("kube api contract: away is unavailable, and back is back", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    REQUIRE(rig.list());
    rig.set_away(true);
    CHECK(codes_of_all(rig, rig.api(), rig.pods()) == std::vector<Errc>(8, Errc::unavailable));
    rig.set_away(false);
    CHECK(rig.set("a", "10.10.1.0/24"));
    CHECK(rig.list());
    CHECK(rig.io.run(rig.api().ensure_access()));
    CHECK(rig.spec("a").pod_cidr == "10.10.1.0/24");
  });
}

TEST_CASE("kube api contract: a restart between two requests is not noticed", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    REQUIRE(rig.list());
    rig.set_away(true);
    rig.set_away(false);
    CHECK(rig.set("a", "10.10.1.0/24"));
  });
}

TEST_CASE("kube api contract: unknown credentials are denied", "[kube]") {
  for_each_rig([](Rig& rig) {
    rig.add_node("a");
    CHECK(codes_of_all(rig, rig.stranger(), rig.strangers_pods()) == std::vector<Errc>(8, Errc::denied));
    CHECK(rig.spec("a").there);
    CHECK(rig.spec("a").pod_cidrs.empty());
  });
}

TEST_CASE("kube api contract: the group of kubeconfigs may do everything while its binding stands", "[.][kube]") {
  RealServer* const server = real_server();
  if (server == nullptr) return;
  RealRig rig(*server);
  eventually([&] { return status_of_admin(rig) == 200; });
  REQUIRE(rig.ask(http::Method::del, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/slipway:cluster-admins").status == 200);
  eventually([&] { return status_of_admin(rig) == 403; });
  REQUIRE(rig.io.run(rig.own->ensure_access()));
  eventually([&] { return status_of_admin(rig) == 200; });
}

// The fake has no roles that somebody could change. Hidden: without the server there is nothing to pass.
TEST_CASE("kube api contract: a role that somebody cut down is made whole", "[.][kube]") {
  RealServer* const server = real_server();
  if (server == nullptr) return;
  RealRig rig(*server);
  rig.add_node("a", {}, 0);
  const json less = {{"rules", {{{"apiGroups", {""}}, {"resources", {"nodes"}}, {"verbs", {"list"}}}}}};
  REQUIRE(rig.ask(http::Method::patch, k_role, less.dump(), "application/merge-patch+json").status == 200);
  eventually([&] { return !rig.get("a"); });
  REQUIRE(rig.io.run(rig.own->ensure_access()));
  eventually([&] { return rig.get("a").has_value(); });
  CHECK(rig.set("a", "10.10.1.0/24"));
}
