// Every route with every kind of caller, over real TLS: who gets in is read from the declared role by a rule of its own here.
#include <map>
#include <set>
#include <string_view>

#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "proto/routes.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/pki.hpp"

namespace slipway::test {
namespace {

using http::Method;

Method method_of(std::string_view text) {
  static const std::map<std::string_view, Method> methods = {
      {"GET", Method::get}, {"POST", Method::post}, {"PUT", Method::put}, {"PATCH", Method::patch}, {"DELETE", Method::del}};
  return methods.at(text);
}

// The route with parameters that name nothing, or `subject`, and the emptiest body: whoever gets in does no harm.
http::Request harmless(const proto::Route& route, const std::string& subject = "nobody") {
  std::string path(route.path);
  for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
    path.replace(open, path.find('}') - open + 1, subject);
  }
  return request_of(method_of(route.method), path, route.body_limit > 0 ? "{}" : "");
}

// other_node: a live one that asks for what is another's. stolen_name: another's identity in a certificate that is not that node's.
enum class Who { anonymous, node, other_node, stolen_name, removed, forged, expired, not_yet, wrong_ca, viewer, op, admin, revoked };

// Such a certificate gets no further than the handshake: no route is reached, not even one that is for anybody.
bool ends_in_handshake(Who who) { return who == Who::expired || who == Who::not_yet || who == Who::wrong_ca; }

// The status that must come, 0: any but 401, 403 and 410.
int expected(const proto::Route& route, Who who) {
  using proto::Role;
  if (route.role == Role::none) return 0;
  if (who == Who::anonymous) return 401;
  const bool of_agents = route.role == Role::agent || route.role == Role::artifact;
  if (who == Who::removed) return of_agents ? 410 : 403;
  if (who == Who::node || who == Who::other_node) return route.operation == "getMasterSecrets" ? 403 : of_agents ? 0 : 403;
  if (who == Who::forged || who == Who::stolen_name || who == Who::revoked) return 403;
  if (route.role == Role::agent) return 403;
  const std::set<Who> enough = route.role == Role::admin ? std::set<Who>{Who::admin}
                               : route.role == Role::op  ? std::set<Who>{Who::op, Who::admin}
                                                         : std::set<Who>{Who::viewer, Who::op, Who::admin};
  return enough.count(who) != 0 ? 0 : 403;
}

struct Person {
  std::string certificate;
  PrivateKey key;
};

Person make_person(ClusterFixture& cluster, const std::string& user, const std::string& role) {
  auto key = PrivateKey::generate_p256();
  const proto::OperatorRequest request{make_csr(*key).value(), user, role};
  const auto response = cluster.admin().post("/v1/operators", proto::encode(request));
  if (response.status != 201) FAIL(response.body);
  return {as<proto::OperatorReply>(response).certificate, std::move(*key)};
}

Caller caller_of(ClusterFixture& cluster, const Person& person) {
  return Caller(cluster.clients, cluster.app->port(), cluster.tls(person.certificate, *person.key.to_pem()));
}

SimulatedAgent join(ClusterFixture& cluster, const std::string& name, int host) {
  SimulatedAgent agent(name, host);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(cluster.new_token())));
  return agent;
}

// As the cluster's own CA would sign it, had its key been stolen: no record of it anywhere.
std::shared_ptr<http::TlsClientContext> signed_by_cluster(const ClusterFixture& cluster, long not_before, long not_after,
                                                          const std::string& uri = "") {
  const TestCert ca{get_file(cluster.dir / "data/ca/fabric-ca.crt"), get_file(cluster.dir / "data/ca/fabric-ca.key")};
  CertOptions options;
  options.common_name = "node-0";
  if (!uri.empty()) options.uris = {uri};
  options.extended_key_usage = "clientAuth";
  options.not_before = not_before;
  options.not_after = not_after;
  const TestCert made = issue(ca, options);
  return cluster.tls(made.certificate_pem, Secret(made.key_pem));
}

// Of another authority with the very same name.
std::shared_ptr<http::TlsClientContext> signed_by_stranger(const ClusterFixture& cluster) {
  const TestCert stranger = issue_client(make_root("fabric CA"), "node-0");
  return cluster.tls(stranger.certificate_pem, Secret(stranger.key_pem));
}

void check_all_routes(Caller caller, Who who, const std::string& name) {
  for (const proto::Route& route : proto::routes()) {
    INFO(name << " asks " << route.method << " " << route.path);
    if (ends_in_handshake(who)) {
      CHECK_FALSE(caller.try_send(harmless(route)).has_value());
      continue;
    }
    const int status = caller.send(harmless(route, who == Who::other_node ? "node-0" : "nobody")).status;
    const int wanted = expected(route, who);
    if (wanted != 0) CHECK(status == wanted);
    if (wanted == 0) CHECK((status != 401 && status != 403 && status != 410));
  }
}

}  // namespace

TEST_CASE("every route with every kind of caller", "[access]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent node = join(cluster, "node-0", 11);
  const SimulatedAgent removed = join(cluster, "node-1", 12);
  const SimulatedAgent other = join(cluster, "node-2", 13);
  CHECK(cluster.admin().remove("/v1/nodes/node-1").status == 204);
  const Person viewer = make_person(cluster, "vera", "viewer");
  const Person op = make_person(cluster, "otto", "operator");
  const Person admin = make_person(cluster, "ada", "admin");
  const Person revoked = make_person(cluster, "rolf", "admin");
  CHECK(cluster.admin().remove("/v1/operators/rolf").status == 204);

  check_all_routes(cluster.anonymous(), Who::anonymous, "nobody");
  check_all_routes(node.caller(cluster), Who::node, "a node");
  check_all_routes(other.caller(cluster), Who::other_node, "another node");
  check_all_routes(removed.caller(cluster), Who::removed, "a removed node");
  check_all_routes(caller_of(cluster, viewer), Who::viewer, "a viewer");
  check_all_routes(caller_of(cluster, op), Who::op, "an operator");
  check_all_routes(caller_of(cluster, admin), Who::admin, "an admin");
  check_all_routes(caller_of(cluster, revoked), Who::revoked, "a revoked admin");
  const auto with = [&cluster](std::shared_ptr<http::TlsClientContext> tls) { return Caller(cluster.clients, cluster.app->port(), std::move(tls)); };
  const std::string uri = agent_uri(node.reply.cluster_id, node.reply.node_uid, node.reply.generation);
  check_all_routes(with(signed_by_cluster(cluster, -300, 3600)), Who::forged, "a certificate of the CA that nobody recorded");
  check_all_routes(with(signed_by_cluster(cluster, -300, 3600, uri)), Who::stolen_name, "a node's identity with a serial of its own");
  check_all_routes(with(signed_by_cluster(cluster, -7200, -3600)), Who::expired, "a certificate of yesterday");
  check_all_routes(with(signed_by_cluster(cluster, 3600, 7200)), Who::not_yet, "a certificate of tomorrow");
  check_all_routes(with(signed_by_stranger(cluster)), Who::wrong_ca, "a certificate of another CA");
}

TEST_CASE("what a node says and asks for is its own", "[access]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent victim = join(cluster, "node-0", 11);
  const SimulatedAgent other = join(cluster, "node-2", 13);
  Caller caller = other.caller(cluster);
  CHECK(caller.post("/v1/agent/status", R"({"phase": "Degraded", "appliedRevision": 1, "nodeName": "node-0"})").status == 204);
  const auto renewed = as<proto::RenewReply>(caller.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{victim.csrs})));
  for (const auto& [usage, pem] : renewed.certificates) {
    INFO(usage);
    CHECK(Certificate::from_pem(pem)->common_name().find("node-0") == std::string::npos);
  }
  auto as_victim = other.join_request("");
  as_victim.node_name = "node-0";
  CHECK(caller.post("/v1/join", proto::encode(as_victim)).status == 403);
  Caller admin = cluster.admin();
  const auto view = as<proto::NodeView>(admin.get("/v1/nodes/node-0"));
  CHECK(view.phase == "Joining");
  CHECK(view.address == victim.reply.address);
  CHECK(victim.caller(cluster).get("/v1/agent/sync").status == 200);
}

TEST_CASE("operators come and go by certificate", "[access]") {
  ClusterFixture cluster;
  cluster.start();
  const Person vera = make_person(cluster, "vera", "viewer");
  Caller caller = caller_of(cluster, vera);
  CHECK(caller.get("/v1/nodes").status == 200);
  const auto list = as<proto::OperatorList>(caller.get("/v1/operators"));
  std::map<std::string, std::string> roles;
  for (const auto& item : list.items) roles[item.user] = item.role;
  CHECK(roles == std::map<std::string, std::string>{{"admin", "admin"}, {"vera", "viewer"}});

  CHECK(cluster.admin().remove("/v1/operators/vera").status == 204);
  // On the very connection that was let in before.
  CHECK(caller.get("/v1/nodes").status == 403);
  CHECK(cluster.admin().remove("/v1/operators/vera").status == 404);
  CHECK(cluster.admin().remove("/v1/operators/admin").status == 409);  // oneself
  cluster.stop();
  cluster.start();
  CHECK(caller_of(cluster, vera).get("/v1/nodes").status == 403);
}

TEST_CASE("an operator's certificate is made from a key and nothing else", "[access]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const auto key = PrivateKey::generate_p256();
  const std::string csr = make_csr(*key).value();
  for (const auto& [user, role] : std::map<std::string, std::string>{
           {"ada", "king"}, {"", "viewer"}, {"system:masters", "viewer"}, {"a\nb", "admin"}, {std::string(300, 'a'), "viewer"}}) {
    const auto response = admin.post("/v1/operators", proto::encode(proto::OperatorRequest{csr, user, role}));
    INFO(user << " " << role);
    CHECK((response.status == 400 || response.status == 403));
  }
  CHECK(admin.post("/v1/operators", proto::encode(proto::OperatorRequest{"no csr", "ada", "viewer"})).status == 400);
  CHECK(as<proto::OperatorList>(admin.get("/v1/operators")).items.size() == 1);
}

}  // namespace slipway::test
