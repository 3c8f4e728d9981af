// Every route that takes JSON, with one bad value for each of its fields: 4xx, and the answer points to that field. And every route
// of operators with what it does not know.
#include <nlohmann/json.hpp>
#include <set>

#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "proto/routes.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using nlohmann::json;

struct BadValue {
  const char* operation;
  const char* at;       // where the value goes
  const char* value;    // JSON; empty: the member is taken out
  const char* pointer;  // that the answer has; nullptr: `at`
};

const BadValue k_bad_values[] = {
    {"joinNode", "/token", "5", nullptr},
    {"joinNode", "/token", R"("abcdef.wrong")", nullptr},
    {"joinNode", "/nodeName", R"("")", nullptr},
    {"joinNode", "/nodeName", R"("a b")", nullptr},
    {"joinNode", "/nodeName", R"("localhost")", nullptr},
    {"joinNode", "/nodeName", R"("n1")", nullptr},  // lives
    {"joinNode", "/role", R"("king")", nullptr},
    {"joinNode", "/address", R"("10.77.0.300")", nullptr},
    {"joinNode", "/address", R"("127.0.0.1")", nullptr},
    {"joinNode", "/address", R"("10.77.0.11")", nullptr},  // of n1
    {"joinNode", "/facts", "[]", nullptr},
    {"joinNode", "/facts/machineId", R"("machine-n1")", nullptr},
    {"joinNode", "/facts/hostRoutes", R"(["10.10.0.0/24 dev docker0"])", nullptr},
    {"joinNode", "/csrs", "{}", "/csrs/agent"},
    {"joinNode", "/csrs/agent", R"("no CSR")", nullptr},
    {"joinNode", "/csrs/kubeletClient", "", nullptr},
    {"joinNode", "/csrs/a~1~0b", R"("x")", nullptr},
    {"reportStatus", "/phase", "", nullptr},
    {"reportStatus", "/appliedRevision", "-1", nullptr},
    {"reportStatus", "/conditions", R"([{"type": "A", "ok": 1}])", "/conditions/0/ok"},
    {"reportStatus", "/components", R"([{"name": "kubelet"}])", "/components/0/state"},
    {"reportStatus", "/certificates", "{}", nullptr},
    {"reportStatus", "/facts", R"({"cpus": "two"})", "/facts/cpus"},
    {"reportStatus", "/lastError", "0", nullptr},
    {"reportStatus", "/caBundles", R"({"fabric": 1})", "/caBundles/fabric"},
    {"reportStatus", "/settings", R"({"message": ""})", "/settings/state"},
    {"requestRestart", "/done", R"("yes")", nullptr},
    {"requestRestart", "/components", R"([1])", "/components/0"},
    {"offerProbe", "/probe", "5", nullptr},
    {"offerProbe", "/bridges", "[1]", "/bridges/0"},
    {"offerProbe", "/pods", "{}", nullptr},
    {"offerProbe", "/note", "0", nullptr},
    {"reportProbe", "/probe", "", nullptr},
    {"reportProbe", "/pings", "-1", nullptr},
    {"reportProbe", "/losses", R"([{"node": "n2"}])", "/losses/0/what"},
    {"reportProbe", "/note", "[]", nullptr},
    {"renewCertificates", "/csrs", "{}", nullptr},
    {"renewCertificates", "/csrs/agent", R"("no CSR")", nullptr},
    {"renewCertificates", "/address", R"("10.77.0.300")", nullptr},
    {"renewCertificates", "/address", R"("127.0.0.1")", nullptr},
    {"applyCluster", "/network/addressChange", R"("maybe")", nullptr},
    {"applyCluster", "/metadata/name", R"("Demo")", nullptr},
    {"applyCluster", "/metadata/name", R"("other")", nullptr},  // 409: it cannot change
    {"applyCluster", "/apiServer/endpoint", R"("10.77.0.10")", nullptr},
    {"applyCluster", "/coordinator/addresses", R"(["10.77.0.10", "0.0.0.0"])", "/coordinator/addresses/1"},
    {"applyCluster", "/coordinator/port", "0", nullptr},
    {"applyCluster", "/network/podCIDR", R"("10.10.0.1/16")", nullptr},
    {"applyCluster", "/network/nodePrefixLength", "30", nullptr},
    {"applyCluster", "/network/serviceCIDR", R"("10.10.0.0/16")", nullptr},
    {"applyCluster", "/network/dnsDomain", R"("a_b")", nullptr},
    {"applyCluster", "/network/dnsIP", R"("10.0.0.1")", nullptr},
    {"applyCluster", "/network/backend", R"("ipip")", nullptr},
    {"applyCluster", "/network/nodeCIDRs", R"(["10.77.0.0"])", "/network/nodeCIDRs/0"},
    {"applyCluster", "/network/pools", R"([{"name": "a", "ranges": ["10.20.0.0/16", "10.20.4.0/22"]}])",
     "/network/pools/0/ranges/1"},
    {"applyCluster", "/network/adoptNodes", "1", nullptr},
    {"applyCluster", "/runtime", R"("rkt")", nullptr},
    {"applyCluster", "/versions/etcd", R"("v3")", nullptr},
    {"applyCluster", "/versions/containerd", R"("v1.6")", nullptr},
    {"applyCluster", "/versions/runc", R"("1.1")", nullptr},
    {"applyCluster", "/versions/criDockerd", R"("0.3")", nullptr},
    {"applyCluster", "/versions/docker", R"("")", nullptr},
    {"applyCluster", "/versions/kubernetes", R"("1.38.0")", nullptr},
    {"applyCluster", "/kubelet/maxPods", "0", nullptr},
    {"applyCluster", "/kubelet/extraArgs", R"(["--v=2", "v=2"])", "/kubelet/extraArgs/1"},
    {"applyCluster", "/kubeProxy", "1", nullptr},
    {"applyCluster", "/docker/config", "[]", nullptr},
    {"applyCluster", "/containerd/config", "[]", nullptr},
    {"applyCluster", "/containerd/config", R"({"debug": {}})", nullptr},  // of a cluster with docker
    {"applyCluster", "/certificates/renewAt", "1.5", nullptr},
    {"applyCluster", "/certificates/nodeTTL", R"("soon")", nullptr},
    {"applyCluster", "/admission", R"("anybody")", nullptr},
    {"applyCluster", "/kubelet/config", R"({"evictionHrd": {}})", "/kubelet/config/evictionHrd"},
    {"applyCluster", "/nodeLabels", R"({"a b": "c"})", "/nodeLabels/a b"},
    {"applyCluster", "/nodeTaints", R"(["k:NoSchedule", "k:Never"])", "/nodeTaints/1"},
    {"applyCluster", "/nodeGroups", R"([{"name": "a", "match": {"role": "king"}}])",
     "/nodeGroups/0/match/role"},
    {"applyCluster", "/nodeGroups", R"([{"name": "a", "kubelet": {"config": {"nope": 1}}}])",
     "/nodeGroups/0/kubelet/config/nope"},
    {"applyCluster", "/rollout", R"({"maxUnavailable": 0})", "/rollout/maxUnavailable"},
    {"applyCluster", "/rollout/maxUnavailable", "1.5", nullptr},
    {"applyCluster", "/artifacts/signers", R"(["no key"])", nullptr},
    {"applyCluster", "/artifacts/mirrors", R"(["http://mirror.example"])", "/artifacts/mirrors/0"},
    {"createKubeconfig", "/csr", R"("no CSR")", nullptr},
    {"createKubeconfig", "/user", R"("system:admin")", nullptr},
    {"createKubeconfig", "/user", R"("coordinator")", nullptr},
    {"approveNode", "/fingerprint", R"("abc")", nullptr},
    {"approveNode", "/fingerprint", R"("0123456789")", nullptr},
    {"denyNode", "/reason", R"("two\nlines")", nullptr},
    {"drainNode", "/force", "1", nullptr},
    {"setNodeConfig", "/kubelet", R"({"config": {"evictionHrd": {}}})", "/kubelet/config/evictionHrd"},
    {"setNodeConfig", "/kubelet", R"({"extraArgs": ["v=2"]})", "/kubelet/extraArgs/0"},
    {"setNodeConfig", "/kubeProxy", R"({"config": {"clientConnection": {}}})",
     "/kubeProxy/config/clientConnection"},
    {"setNodeConfig", "/labels", R"({"kubernetes.io/hostname": "x"})", "/labels/kubernetes.io~1hostname"},
    {"setNodeConfig", "/taints", R"(["k:Never"])", "/taints/0"},
    {"replaceNode", "/ttl", R"("soon")", nullptr},
    {"replaceNode", "/ttl", R"("30d")", nullptr},
    {"createToken", "/ttl", R"("soon")", nullptr},
    {"createToken", "/ttl", R"("1s")", nullptr},
    {"createToken", "/maxUses", "0", nullptr},
    {"createToken", "/role", R"("king")", nullptr},
    {"createToken", "/node", R"("A b")", nullptr},
    {"createToken", "/pool", R"("A b")", nullptr},
    {"createToken", "/sources", R"(["10.77.0.0/16", "here"])", "/sources/1"},
    {"createPool", "/name", R"("A")", nullptr},
    {"createPool", "/name", R"("blue")", nullptr},  // is there
    {"createPool", "/ranges", "[]", nullptr},
    {"createPool", "/ranges", R"(["10.30.0.1/16"])", "/ranges/0"},
    {"createPool", "/ranges", R"(["10.20.0.0/17"])", nullptr},  // of pool blue
    {"createPool", "/nodePrefixLength", "99", nullptr},
    {"createPool", "/nodePrefixLength", "28", nullptr},  // less than kubelet.maxPods
    {"createPool", "/role", R"("king")", nullptr},
    {"createPool", "/namePattern", R"("A")", nullptr},
    {"createPool", "/onlyByName", "1", nullptr},
    {"growPool", "/ranges", "", nullptr},  // nothing is asked for
    {"growPool", "/ranges", R"(["10.22.0.0"])", "/ranges/0"},
    {"growPool", "/ranges", R"(["10.22.0.0/16", "fd00::/48"])", "/ranges/1"},
    {"growPool", "/ranges", R"(["10.0.0.0/17"])", nullptr},  // of services
    {"growPool", "/nodePrefixLength", "99", nullptr},
    {"growPool", "/nodePrefixLength", "8", nullptr},  // larger than what is there
    {"drainPool", "/draining", R"("yes")", nullptr},
    {"createReservation", "/block", R"("10.20.3.0")", nullptr},
    {"createReservation", "/block", R"("10.99.3.0/24")", nullptr},
    {"createReservation", "/block", R"("10.20.0.0/24")", nullptr},  // is kept already
    {"createReservation", "/node", R"("a b")", nullptr},
    {"createReservation", "/note", R"("two\nlines")", nullptr},
    {"registerArtifact", "/component", R"("a b")", nullptr},
    {"registerArtifact", "/version", R"("../1")", nullptr},
    {"registerArtifact", "/format", R"("zip")", nullptr},
    {"registerArtifact", "/sha256", R"("abc")", nullptr},
    {"registerArtifact", "/sha256", R"("0000000000000000000000000000000000000000000000000000000000000000")",
     nullptr},  // not uploaded
    {"registerArtifact", "/size", R"("large")", nullptr},
    {"registerArtifact", "/importedAt", "0", nullptr},
    {"collectBlobs", "/minAge", R"("soon")", nullptr},
    {"collectBlobs", "/minAge", R"("1s")", nullptr},
    {"collectBlobs", "/dryRun", "1", nullptr},
    {"putArtifactManifest", "/text", R"("no manifest")", nullptr},
    {"createOperator", "/csr", R"("no CSR")", nullptr},
    {"createOperator", "/user", R"("system:masters")", nullptr},
    {"createOperator", "/role", R"("king")", nullptr},
    {"changeCa", "/action", R"("burn")", nullptr},
    {"changeCa", "/force", "true", nullptr},
    {"changeCa", "/import", R"("yes")", nullptr},
};

const proto::Route& route_of(std::string_view operation) {
  for (const proto::Route& route : proto::routes()) {
    if (route.operation == operation) return route;
  }
  throw std::runtime_error("no such operation");
}

bool takes_json(const proto::Route& route) { return route.body_limit > 0 && !route.spooled; }

http::Method method_of(const proto::Route& route) {
  if (route.method == "POST") return http::Method::post;
  if (route.method == "PUT") return http::Method::put;
  return route.method == "DELETE" ? http::Method::del : http::Method::get;
}

// A cluster with one of each, where every request below would do something but for its one bad value.
struct World {
  ClusterFixture cluster;
  std::optional<SimulatedAgent> agent;
  std::optional<SimulatedAgent> waiting;
  std::string token;
  std::string csr;
  json spec;

  World() {
    cluster.start();
    agent.emplace(joined(cluster, "n1", 11));
    token = cluster.new_token(100);
    csr = *make_csr(*PrivateKey::generate_p256());
    Caller admin = cluster.admin();
    const std::string blue = R"({"name": "blue", "ranges": ["10.20.0.0/16"]})";
    REQUIRE(admin.post("/v1/pools", blue).status == 201);
    REQUIRE(admin.post("/v1/pools/blue/reservations", R"({"block": "10.20.0.0/24"})").status == 201);
    spec = json::parse(admin.get("/v1/cluster").body).at("spec");
    spec["admission"] = "manual";
    REQUIRE(admin.put("/v1/cluster", spec.dump()).status == 200);
    waiting.emplace("n2", 12);
    REQUIRE(cluster.anonymous().send(waiting->join_message(cluster.new_token())).status == 202);
  }

  // A body that the operation would take.
  json good_body(const std::string& operation) const {
    if (operation == "joinNode") return join_body();
    if (operation == "reportStatus") return {{"phase", "Running"}, {"appliedRevision", 1}, {"conditions", json::array()}};
    if (operation == "offerProbe") return {{"probe", "0123456789abcdef"}};
    if (operation == "reportProbe") return {{"probe", "0123456789abcdef"}, {"pings", 1}};
    if (operation == "renewCertificates") return {{"csrs", agent->csrs}};
    if (operation == "applyCluster" || operation == "planCluster") return spec;
    if (operation == "createKubeconfig") return {{"csr", csr}, {"user", "ada"}};
    if (operation == "createPool") return {{"name", "red"}, {"ranges", {"10.30.0.0/16"}}};
    if (operation == "growPool") return {{"ranges", {"10.22.0.0/16"}}};
    if (operation == "createReservation") return {{"block", "10.20.3.0/24"}};
    if (operation == "registerArtifact")
      return {{"component", "kubelet"}, {"version", "1.20.2"}, {"sha256", std::string(64, 'a')}, {"size", 5}};
    if (operation == "putArtifactManifest") return {{"text", "slipway-manifest 1\nnumber 1\nexpires 2036-01-01T00:00:00Z\n"}};
    if (operation == "createOperator") return {{"csr", csr}, {"user", "ada"}};
    if (operation == "changeCa") return {{"action", "prepare"}};
    return json::object();
  }
  json join_body() const {
    return json::parse(proto::encode(agent->named("n3", 13).join_request(token)));
  }

  std::string path_of(const proto::Route& route) const {
    const std::map<std::string_view, const char*> names = {
        {"approveNode", "n2"}, {"denyNode", "n2"}, {"replaceNode", "n1"}, {"drainNode", "n1"}, {"setNodeConfig", "n1"}, {"changeCa", "fabric"}};
    const auto name = names.find(route.operation);
    std::string path(route.path);
    const std::size_t open = path.find('{');
    if (open == std::string::npos) return path;
    path.replace(open, path.find('}') - open + 1, name != names.end() ? name->second : "blue");
    for (std::size_t more = path.find('{'); more != std::string::npos; more = path.find('{')) path.replace(more, path.find('}') - more + 1, "1");
    return path;
  }

  http::Response ask(const proto::Route& route, const std::string& body, const std::string& query = "") {
    Caller caller = route.role == proto::Role::agent ? agent->caller(cluster) : cluster.admin();
    return caller.send(request_of(method_of(route), path_of(route) + query, body));
  }
};

// A plan takes what a change takes, and refuses it alike.
std::vector<BadValue> bad_values() {
  std::vector<BadValue> all(std::begin(k_bad_values), std::end(k_bad_values));
  for (const BadValue& bad : k_bad_values) {
    if (std::string_view(bad.operation) == "applyCluster") all.push_back({"planCluster", bad.at, bad.value, bad.pointer});
  }
  return all;
}

}  // namespace

TEST_CASE("one bad value for each field of each body is answered with its place", "[malformed]") {
  World world;
  for (const BadValue& bad : bad_values()) {
    INFO(bad.operation << " with " << bad.at << ": " << bad.value);
    const json::json_pointer at{std::string(bad.at)};
    json body = world.good_body(bad.operation);
    const json parent = body.value(at.parent_pointer(), json());
    if (!parent.is_object()) body[at.parent_pointer()] = json::object();
    if (*bad.value == '\0') body[at.parent_pointer()].erase(at.back());
    else body[at] = json::parse(bad.value);
    const auto response = world.ask(route_of(bad.operation), body.dump());
    CHECK((response.status >= 400 && response.status < 500));
    const auto problem = as<proto::Problem>(response);
    INFO(problem.detail);
    CHECK(problem.pointer.value_or("none") == (bad.pointer != nullptr ? bad.pointer : bad.at));
  }
}

TEST_CASE("every field of every body has a bad value", "[malformed]") {
  std::set<std::string> tried;
  for (const BadValue& bad : bad_values()) tried.insert(std::string(bad.operation) + " /" + std::string(split(bad.at, '/')[1]));
  for (const proto::Route& route : proto::routes()) {
    if (!takes_json(route)) continue;
    const json& operation = openapi().at("paths").at(std::string(route.path)).at(lower(route.method));
    const auto reference = operation.at("requestBody").at("content").at("application/json").at("schema").at("$ref").get<std::string>();
    for (const auto& [field, schema] : openapi().at(json::json_pointer(reference.substr(1))).at("properties").items()) {
      INFO(route.operation << " /" << field);
      CHECK(tried.count(std::string(route.operation) + " /" + field) == 1);
    }
  }
}

TEST_CASE("a field that an operator mistyped is refused, one of a newer agent is not", "[malformed]") {
  World world;
  std::size_t strict = 0;
  for (const proto::Route& route : proto::routes()) {
    if (!takes_json(route) || !proto::is_for_people(route.role)) continue;
    ++strict;
    INFO(route.operation);
    json body = world.good_body(std::string(route.operation));
    body["nonsense"] = nullptr;
    const auto response = world.ask(route, body.dump());
    CHECK(response.status == 400);
    CHECK(as<proto::Problem>(response).pointer == "/nonsense");
  }
  CHECK(strict >= 12);
  Caller admin = world.cluster.admin();
  const std::size_t before = as<proto::TokenList>(admin.get("/v1/tokens")).items.size();
  for (const char* body : {R"({"nodes": "web-1"})", R"({"source": ["10.77.0.0/16"]})", R"({"Node": "web-1"})"}) CHECK(admin.post("/v1/tokens", body).status == 400);
  CHECK(as<proto::TokenList>(admin.get("/v1/tokens")).items.size() == before);
  CHECK(admin.post("/v1/pools", R"({"name": "red", "ranges": ["10.30.0.0/16"], "onlyByNames": true})").status == 400);

  for (const char* operation : {"joinNode", "reportStatus", "renewCertificates", "requestRestart"}) {
    INFO(operation);
    json body = world.good_body(operation);
    body["nonsense"] = true;
    CHECK(world.ask(route_of(operation), body.dump()).status < 300);
  }
}

TEST_CASE("a key of the query that an operator mistyped is refused, one of an agent or a probe is not", "[malformed]") {
  World world;
  for (const proto::Route& route : proto::routes()) {
    if (route.spooled || route.operation == "listNodes") continue;  // listNodes: below
    INFO(route.operation);
    const auto response = world.ask(route, takes_json(route) ? "{}" : "", "?nonsense=1");
    if (response.status >= 400) {
      const auto problem = as<proto::Problem>(response);
      CHECK((problem.parameter == "nonsense") == proto::is_for_people(route.role));
    } else {
      CHECK_FALSE(proto::is_for_people(route.role));
    }
  }
  Caller admin = world.cluster.admin();
  for (const auto& [query, parameter] : std::map<std::string, std::string>{{"phases=Running", "phases"},
                                                                          {"phase=Runing", "phase"},
                                                                          {"role=king", "role"},
                                                                          {"watch=1", "watch"},
                                                                          {"labelSelector=((", "labelSelector"},
                                                                          {"limit=0", "limit"},
                                                                          {"limit=5&limit=6", "limit"},
                                                                          {"%6cimit=5&limit=5", "limit"},
                                                                          {"=5", ""}}) {
    INFO(query);
    const auto response = admin.get("/v1/nodes?" + query);
    CHECK(response.status == 400);
    CHECK(as<proto::Problem>(response).parameter.value_or("") == parameter);
  }
  CHECK(admin.get("/v1/nodes?").status == 200);
  CHECK(admin.get("/v1/nodes?role=node&phase=Replacing&limit=5").status == 200);
}

TEST_CASE("what the filter of a list cannot be is told with the parameter", "[malformed]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  for (const auto& [target, parameter] : std::map<std::string, std::string>{{"/v1/crl?format=txt", "format"},
                                                                           {"/v1/crl?format=der", "ca"},
                                                                           {"/v1/crl?ca=moon", "ca"},
                                                                           {"/v1/audit?continue=x", "continue"},
                                                                           {"/v1/certificates?limit=x", "limit"}}) {
    INFO(target);
    CHECK(as<proto::Problem>(admin.get(target)).parameter.value_or("none") == parameter);
  }
  CHECK(as<proto::Problem>(admin.remove("/v1/pools/default/reservations/x")).parameter.value_or("none") == "block");
  for (const auto& phase : openapi().at("paths").at("/v1/nodes").at("get").at("parameters")) {
    if (phase.at("name") != "phase") continue;
    for (const auto& value : phase.at("schema").at("enum")) CHECK(admin.get("/v1/nodes?phase=" + value.get<std::string>()).status == 200);
  }
}

}  // namespace slipway::test
