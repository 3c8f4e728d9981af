// What operators see and do, and the coordinator as a daemon, over real TLS.
#include <nlohmann/json.hpp>
#include <optional>

#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "coordinator/init.hpp"
#include "proto/routes.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using http::Method;

TEST_CASE("lists come in pages", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(5);
  for (int i = 0; i < 5; ++i) {
    SimulatedAgent agent("node-" + std::to_string(i), 20 + i);
    Caller caller = cluster.anonymous();
    agent.accept(caller.send(agent.join_message(token)));
  }
  Caller admin = cluster.admin();
  std::vector<std::string> names;
  std::string next;
  int pages = 0;
  do {
    const auto page =
        as<proto::NodeList>(admin.get("/v1/nodes?limit=2" + (next.empty() ? "" : "&continue=" + next)));
    for (const auto& node : page.items) names.push_back(node.name);
    next = page.next;
    ++pages;
  } while (!next.empty());
  CHECK(pages == 3);
  CHECK(names == std::vector<std::string>{"node-0", "node-1", "node-2", "node-3", "node-4"});
  std::size_t certificates = 0;
  do {
    const auto page = as<proto::CertificateList>(
        admin.get("/v1/certificates?limit=7" + (next.empty() ? "" : "&continue=" + next)));
    certificates += page.items.size();
    next = page.next;
  } while (!next.empty());
  CHECK(certificates == 5 * 4 + 6 + 2);  // of nodes, CAs, admin and coordinator
  CHECK(admin.get("/v1/nodes?limit=0").status == 400);
  CHECK(admin.get("/v1/nodes?limit=x").status == 400);
}

TEST_CASE("settings change with a precondition and with all problems told", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const auto response = admin.get("/v1/cluster");
  const std::string etag = *response.headers.find("ETag");
  auto view = as<proto::ClusterView>(response);
  CHECK(view.capacity.max_nodes == 256);
  view.spec.kubelet.max_pods = 100;
  const auto tried = as<proto::ClusterView>(admin.post("/v1/cluster/plan", proto::encode(view.spec)));
  CHECK(tried.spec.kubelet.max_pods == 100);
  CHECK(tried.revision == view.revision);
  CHECK(admin.post("/v1/cluster/plan", R"({"pool": 1})").status == 400);
  CHECK(*admin.get("/v1/cluster").headers.find("ETag") == etag);
  http::Request change = request_of(Method::put, "/v1/cluster", proto::encode(view.spec));
  change.headers.set("If-Match", "\"something else\"");
  CHECK(as<proto::Problem>(admin.send(change)).code == "preconditionFailed");
  change.headers.set("If-Match", etag);
  const auto changed = admin.send(change);
  REQUIRE(changed.status == 200);
  CHECK(*changed.headers.find("ETag") != etag);
  CHECK(as<proto::ClusterView>(changed).desired_revision > view.desired_revision);
  CHECK(admin.send(change).status == 412);
  view.spec.network.pod_cidr = "10.20.0.0/16";
  CHECK(admin.put("/v1/cluster", proto::encode(view.spec)).status == 409);
  view.spec.network.pod_cidr = "10.10.0.0/30";
  view.spec.runtime = "rkt";
  const auto refused = admin.put("/v1/cluster", proto::encode(view.spec));
  CHECK(refused.status == 400);
  CHECK(refused.body.find("rkt") != std::string::npos);
  CHECK(refused.body.find("podCIDR") != std::string::npos);
  const auto unknown = admin.put("/v1/cluster", R"({"pool": 1, "metadata": {"name": "demo"}})");
  CHECK(unknown.status == 400);
}

TEST_CASE("a kubeconfig's certificate is recorded before it is given", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const auto key = PrivateKey::generate_p256();
  const auto csr = make_csr(*key);
  Caller admin = cluster.admin();
  const auto reply = as<proto::KubeconfigReply>(
      admin.post("/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{*csr, "alice"})));
  const auto certificate = Certificate::from_pem(reply.certificate);
  REQUIRE(certificate);
  CHECK(certificate->organizations() == std::vector<std::string>{"slipway:cluster-admins"});
  CHECK(certificate->not_after() - certificate->not_before() == Seconds(12 * 3600));
  CHECK(certificate->common_name() == "alice");
  CHECK(certificate->matches(*key));
  bool listed = false;
  for (const auto& view : as<proto::CertificateList>(admin.get("/v1/certificates")).items)
    listed = listed || view.serial == certificate->serial_hex();
  CHECK(listed);
  CHECK(admin.post("/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{*csr, "system:admin"}))
            .status >= 400);
}

TEST_CASE("every route asks for its role", "[cluster][authz]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  for (const proto::Route& route : proto::routes()) {
    INFO(route.operation);
    std::string path(route.path);
    for (const char* parameter : {"{name}", "{id}", "{sha256}"}) {
      const auto at = path.find(parameter);
      if (at != std::string::npos) path.replace(at, std::string(parameter).size(), "absent");
    }
    const Method method = route.method == "GET"    ? Method::get
                          : route.method == "POST" ? Method::post
                          : route.method == "PUT"  ? Method::put
                                                   : Method::del;
    const auto status_for = [&](Caller caller) {
      return caller.send(request_of(method, path, route.body_limit > 0 ? "{" : "")).status;
    };
    const int nobody = status_for(cluster.anonymous());
    const int node = status_for(agent.caller(cluster));
    const int admin = status_for(cluster.admin());
    CHECK((nobody == 401) == (route.role != proto::Role::none));
    const bool for_agents = route.role == proto::Role::none || route.role == proto::Role::agent ||
                            route.role == proto::Role::artifact;
    if (route.operation != "getMasterSecrets") CHECK((node == 403) == !for_agents);
    CHECK((admin == 403) == (route.role == proto::Role::agent));
    CHECK(nobody != 500);
    CHECK(node != 500);
    CHECK(admin != 500);
  }
  Caller caller = cluster.admin();
  CHECK(caller.get("/v1/absent").status == 404);
  const auto wrong_method = cluster.admin().send(request_of(Method::del, "/v1/cluster"));
  CHECK(wrong_method.status == 405);
  REQUIRE(wrong_method.headers.find("Allow") != nullptr);
  CHECK(*wrong_method.headers.find("Allow") == "GET, HEAD, PUT");
  CHECK(as<proto::Problem>(wrong_method).code == "methodNotAllowed");
}

TEST_CASE("probes, version and contract are there for everybody", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  Caller caller = cluster.anonymous();
  CHECK(caller.get("/livez").body == "ok\n");
  CHECK(caller.get("/readyz").body == "ok\n");
  CHECK(caller.get("/readyz?verbose").body.find("[+] store ok") != std::string::npos);
  CHECK(as<proto::VersionInfo>(caller.get("/version")).api_version == "v1");
  CHECK(nlohmann::json::parse(caller.get("/v1/openapi.json").body) == openapi());
  const auto ca = Certificate::from_pem(caller.get("/v1/cacerts").body);
  REQUIRE(ca);
  const std::string token = get_file(cluster.dir / "master.token");
  CHECK(token.find(ca->sha256_hex()) != std::string::npos);
}

TEST_CASE("the stop answers who waits and ends in time", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const auto state = as<proto::DesiredState>(caller.get("/v1/agent/sync"));
  std::optional<Result<http::Response>> ended;
  cluster.clients.start(
      caller.client.send(request_of(Method::get, "/v1/agent/sync?epoch=" + state.epoch + "&revision=" +
                                                     std::to_string(state.revision) + "&wait=60"),
                         std::chrono::seconds(70)),
      [&ended](Result<http::Response> reply) { ended = std::move(reply); });
  // Another request's answer says that the waiting one, sent before, is on its way.
  CHECK(agent.caller(cluster).get("/livez").status == 200);
  const auto begin = std::chrono::steady_clock::now();
  cluster.stop();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(6));
  cluster.clients.run_until([&ended] { return ended.has_value(); });
}

TEST_CASE("one data directory has one daemon, and a port that is taken is an error", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  AppOptions options;
  options.config.listen = "127.0.0.1:0";
  options.config.data_dir = cluster.dir / "data";
  options.kube = false;
  const auto second = App::start(options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  const auto credential =
      renew_admin_conf({cluster.dir / "data", cluster.dir / "admin.conf", "admin"}, cluster.now());
  REQUIRE_FALSE(credential);
  CHECK(credential.error().code == Errc::conflict);

  ClusterFixture other;
  options.config.data_dir = other.dir / "data";
  options.config.listen = "127.0.0.1:" + std::to_string(cluster.app->port());
  const auto taken = App::start(options);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find(std::to_string(cluster.app->port())) != std::string::npos);
}

TEST_CASE("a certificate of another cluster is none", "[cluster][authz]") {
  ClusterFixture cluster;
  cluster.start();
  ClusterFixture other;
  other.start();
  SimulatedAgent stranger = joined(other, "node-1", 11);
  const auto key = stranger.keys.find("agent")->second.to_pem();
  Caller agent(cluster.clients, cluster.app->port(), cluster.tls(stranger.certificates.at("agent"), *key));
  CHECK_FALSE(agent.try_send(request_of(Method::get, "/v1/agent/sync")));
  Caller admin(cluster.clients, cluster.app->port(),
               cluster.tls(other.admin_cluster.client_certificate, Secret(other.admin_cluster.client_key)));
  CHECK_FALSE(admin.try_send(request_of(Method::get, "/v1/nodes")));
}

}  // namespace
}  // namespace slipway::test
