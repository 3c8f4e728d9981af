#pragma once
// What the cases of the KubeApi port run against: the fake and, where SLIPWAY_TEST_KUBE_APISERVER and SLIPWAY_TEST_ETCD name the
// programs, the real adapter with a real kube-apiserver and etcd. The system tests set them.
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/ports/kube_pods.hpp"
#include "tests/support/fake_kube_api.hpp"
#include "tests/support/https_fixture.hpp"
#include "tests/support/kube_client_fixture.hpp"
#include "tests/support/real_kube_api.hpp"

namespace slipway::test::kube_rigs {  // other ports have rigs of their own

using Cidrs = std::vector<std::string>;
using nlohmann::json;

// What stands in the object, read without the adapter.
struct Spec {
  bool there = false;
  std::string pod_cidr;
  Cidrs pod_cidrs;
  bool unschedulable = false;
};

inline void eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

struct Rig {
  virtual ~Rig() = default;
  virtual KubeApi& api() = 0;
  virtual KubeApi& second() = 0;    // another client of the same server
  virtual KubeApi& stranger() = 0;  // with credentials that the server does not know
  virtual KubePods& pods() = 0;
  virtual KubePods& strangers_pods() = 0;
  // A pod of the node, as a ReplicaSet's. `guarded`: a PodDisruptionBudget forbids its eviction. It stays until a kubelet takes it away.
  virtual void add_pod(const std::string& node, const std::string& name, bool guarded) = 0;
  // As a kubelet registers itself, with about `padding` bytes of what else stands in a Node.
  virtual void add_node(const std::string& name, const Cidrs& cidrs = {}, std::size_t padding = 0) = 0;
  virtual Spec spec(const std::string& name) = 0;
  virtual void set_away(bool away) = 0;
  virtual void revoke_access() = 0;
  IoTest io;

  auto list() { return io.run(api().list_nodes()); }
  auto get(const std::string& name) { return io.run(api().get_node(name)); }
  auto set(const std::string& name, const std::string& cidr) {
    return io.run(api().set_pod_cidr(name, Cidr::parse(cidr).value()));
  }
  auto remove(const std::string& name) { return io.run(api().delete_node(name)); }
  auto cordon(const std::string& name, bool on) { return io.run(api().set_unschedulable(name, on)); }
  auto list_pods(const std::string& node) { return io.run(pods().list_pods(node)); }
  auto evict(const KubePod& pod) { return io.run(pods().evict_pod(pod)); }
};

struct FakeRig final : Rig {
  FakeKubeApi fake;
  FakeKubeApi unknown;
  FakeRig() {
    REQUIRE(io.run(fake.ensure_access()));
    unknown.credentials_known = false;
  }
  KubeApi& api() override { return fake; }
  KubeApi& second() override { return fake; }
  KubeApi& stranger() override { return unknown; }
  KubePods& pods() override { return fake; }
  KubePods& strangers_pods() override { return unknown; }
  void add_pod(const std::string& node, const std::string& name, bool guarded) override {
    fake.pods.push_back({node, {"default", name, "uid-" + name, "ReplicaSet", false, false, false}, guarded ? -1 : 0, false});
  }
  void add_node(const std::string& name, const Cidrs& cidrs, std::size_t) override {
    fake.objects[name] = cidrs;
  }
  Spec spec(const std::string& name) override {
    const auto found = fake.objects.find(name);
    if (found == fake.objects.end()) return {};
    return {true, found->second.empty() ? std::string() : found->second.front(), found->second, fake.unschedulable.count(name) != 0};
  }
  void set_away(bool away) override { fake.away = away; }
  void revoke_access() override { fake.access = false; }
};

// One server for all cases of a run: starting it costs seconds. Gone when the program ends.
struct RealServer {
  explicit RealServer(RealKubeApi::Programs programs) : server(std::move(programs), identities()) {}

  RealKubeApi::Identities identities() {
    const TestCert client_ca = ca_for_tests(parts.authority, CaKind::kube_client);
    CertOptions options;
    options.common_name = "test";
    options.organization = "system:masters";
    options.extended_key_usage = "clientAuth";
    admin = issue(client_ca, options);
    return {ca_for_tests(parts.authority, CaKind::apiserver), client_ca.certificate_pem, admin};
  }

  KubeClientParts parts;
  KubeClientParts foreign;
  StrangersSigner stranger{foreign.signer, parts.signer};
  TestCert admin;
  RealKubeApi server;
};

inline constexpr char k_role[] = "/apis/rbac.authorization.k8s.io/v1/clusterroles/slipway:coordinator";
inline constexpr char k_binding[] = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/slipway:coordinator";

struct RealRig final : Rig {
  explicit RealRig(RealServer& shared) : real(shared) {
    if (!running) set_away(false);
    REQUIRE(ask(http::Method::del, "/api/v1/nodes").status == 200);
    REQUIRE(io.run(own->ensure_access()));
    // At once: no kubelet is there to end them.
    for (const char* what : {"/api/v1/namespaces/default/pods?gracePeriodSeconds=0", "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets",
                             "/apis/policy/v1/namespaces/default/poddisruptionbudgets"})
      ask(http::Method::del, what);
  }

  http::Response ask(http::Method method, const std::string& target, const std::string& body = {},
                     const char* type = "application/json") {
    http::Request message = request(method, target, body);
    if (!body.empty()) message.headers.set("Content-Type", type);
    return must(io.run(admin.send(message, std::chrono::seconds(30), true)));
  }

  KubeApi& api() override { return *own; }
  KubeApi& second() override { return *other; }
  KubeApi& stranger() override { return *unknown; }
  KubePods& pods() override { return *own; }
  KubePods& strangers_pods() override { return *unknown; }
  void add_pod(const std::string& node, const std::string& name, bool guarded) override {
    // No controllers run here: the owner need not be there.
    const json owner = {{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"name", "web"}, {"uid", "11111111-1111-4111-8111-111111111111"}, {"controller", true}};
    const json pod = {{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"labels", {{"pod", name}}}, {"ownerReferences", json::array({owner})}}},
                      {"spec", {{"nodeName", node}, {"automountServiceAccountToken", false}, {"containers", json::array({{{"name", "c"}, {"image", "i"}}})}}}};
    make_home();
    const auto made = ask(http::Method::post, "/api/v1/namespaces/default/pods", pod.dump());
    INFO(made.body);
    REQUIRE(made.status == 201);
    // Only of running pods a budget is asked; nothing runs them here.
    const json ready = {{"status", {{"phase", "Running"}, {"conditions", json::array({{{"type", "Ready"}, {"status", "True"}}})}}}};
    REQUIRE(ask(http::Method::patch, "/api/v1/namespaces/default/pods/" + name + "/status", ready.dump(), "application/merge-patch+json").status == 200);
    if (guarded) add_budget(name);
  }
  // The controller manager would count; without it the budget allows nothing.
  void add_budget(const std::string& name) {
    const bool old = ask(http::Method::get, "/apis/policy/v1beta1").status == 200;
    const std::string version = old ? "policy/v1beta1" : "policy/v1";
    const json budget = {{"apiVersion", version},
                         {"kind", "PodDisruptionBudget"},
                         {"metadata", {{"name", name}}},
                         {"spec", {{"minAvailable", 1}, {"selector", {{"matchLabels", {{"pod", name}}}}}}}};
    REQUIRE(ask(http::Method::post, "/apis/" + version + "/namespaces/default/poddisruptionbudgets", budget.dump()).status == 201);
  }
  // What a pod is admitted with. kube-apiserver makes the namespace itself, some time after its start, the controller manager the account.
  void make_home() {
    const json space = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "default"}}}};
    const json account = {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "default"}}}};
    for (const int status : {ask(http::Method::post, "/api/v1/namespaces", space.dump()).status,
                             ask(http::Method::post, "/api/v1/namespaces/default/serviceaccounts", account.dump()).status})
      CHECK((status == 201 || status == 409));
  }
  void add_node(const std::string& name, const Cidrs& cidrs, std::size_t padding) override {
    json node = {
        {"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}}}, {"spec", json::object()}};
    if (!cidrs.empty()) node["spec"] = {{"podCIDR", cidrs.front()}, {"podCIDRs", cidrs}};
    if (padding > 0) node["metadata"]["annotations"] = {{"padding", std::string(padding, 'x')}};
    REQUIRE(ask(http::Method::post, "/api/v1/nodes", node.dump()).status == 201);
  }
  Spec spec(const std::string& name) override {
    const http::Response response = ask(http::Method::get, "/api/v1/nodes/" + name);
    if (response.status == 404) return {};
    const json object = json::parse(response.body).at("spec");
    return {true, object.value("podCIDR", ""), object.value("podCIDRs", Cidrs()), object.value("unschedulable", false)};
  }
  void set_away(bool away) override {
    if (away) {
      real.server.stop();
    } else {
      real.server.start();
    }
    running = !away;
  }
  void revoke_access() override {
    for (const char* path : {k_binding, k_role}) REQUIRE(ask(http::Method::del, path).status == 200);
    // The authorizer reads a copy that follows.
    eventually([this] { return !list(); });
  }

  RealServer& real;
  static inline bool running = true;
  std::unique_ptr<kube::KubeClient> own = real.parts.client(io, real.server.port());
  std::unique_ptr<kube::KubeClient> other = real.parts.client(io, real.server.port());
  std::unique_ptr<kube::KubeClient> unknown = real.parts.client(io, real.server.port(), real.stranger);
  http::ClientIdentity admin_identity{real.admin.certificate_pem, Secret(real.admin.key_pem)};
  // Deleting all nodes answers with all of them.
  http::ClientLimits admin_limits{std::chrono::seconds(10), 16'384, 64'000'000};
  http::Client admin{
      io.executor(), http::Endpoint{"127.0.0.1", real.server.port()},
      must(http::TlsClientContext::make(real.parts.signer.ca_pem(CaKind::apiserver), &admin_identity)),
      admin_limits};
};

// What a kubeconfig holds, in the group that access_objects() binds.
inline int status_of_admin(RealRig& rig) {
  CertOptions options;
  options.common_name = "alice";
  options.organization = "slipway:cluster-admins";
  options.extended_key_usage = "clientAuth";
  const TestCert alice = issue(ca_for_tests(rig.real.parts.authority, CaKind::kube_client), options);
  http::ClientIdentity identity{alice.certificate_pem, Secret(alice.key_pem)};
  http::Client client(rig.io.executor(), http::Endpoint{"127.0.0.1", rig.real.server.port()},
                      must(http::TlsClientContext::make(rig.real.parts.signer.ca_pem(CaKind::apiserver), &identity)));
  return must(rig.io.run(client.send(request(http::Method::get, "/api/v1/secrets"), std::chrono::seconds(30), true))).status;
}

// Nothing where the programs are not named.
inline RealServer* real_server() {
  static const auto programs = RealKubeApi::programs();
  if (!programs) {
    WARN(
        "SKIPPED: the real kube-apiserver is asked only where SLIPWAY_TEST_KUBE_APISERVER and "
        "SLIPWAY_TEST_ETCD name it");
    return nullptr;
  }
  static RealServer server(*programs);
  return &server;
}

inline void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("kube-apiserver") {
    RealServer* const server = real_server();
    if (server == nullptr) return;
    RealRig rig(*server);
    run(rig);
  }
}

template <class T>
Errc code_of(const Result<T>& result) {
  INFO(result);
  REQUIRE_FALSE(result);
  return result.error().code;
}

// All that needs a server, by what it answers.
inline std::vector<Errc> codes_of_all(Rig& rig, KubeApi& api, KubePods& pods) {
  return {code_of(rig.io.run(api.ensure_access())), code_of(rig.io.run(api.list_nodes())),
          code_of(rig.io.run(api.get_node("a"))),
          code_of(rig.io.run(api.set_pod_cidr("a", Cidr::parse("10.10.1.0/24").value()))),
          code_of(rig.io.run(api.set_unschedulable("a", true))), code_of(rig.io.run(api.delete_node("a"))),
          code_of(rig.io.run(pods.list_pods("a"))), code_of(rig.io.run(pods.evict_pod({"default", "p", "u", "", false, false, false})))};
}

}  // namespace slipway::test::kube_rigs
