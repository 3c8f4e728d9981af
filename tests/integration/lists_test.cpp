// Pages, filters and If-Match of a whole coordinator, over real TLS.
#include <catch2/catch.hpp>
#include <set>

#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using http::Method;

// Names of all items, by pages of two; none twice.
template <class List, class Name>
std::vector<std::string> walk(Caller& caller, const std::string& target, Name name) {
  std::vector<std::string> names;
  std::string next;
  int pages = 0;
  do {
    const char* mark = target.find('?') == std::string::npos ? "?" : "&";
    const auto page = as<List>(caller.get(target + mark + "limit=2" + (next.empty() ? "" : "&continue=" + next)));
    CHECK(page.items.size() <= 2);
    for (const auto& item : page.items) names.push_back(name(item));
    next = page.next;
    REQUIRE(++pages < 20);
  } while (!next.empty());
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  return names;
}

http::Response changed(Caller& caller, Method method, const std::string& target, const std::string& if_match, const std::string& body = {}) {
  http::Request request = request_of(method, target, body);
  request.headers.set("If-Match", if_match);
  return caller.send(std::move(request));
}

std::string etag_of(Caller& caller, const std::string& target) {
  const auto response = caller.get(target);
  REQUIRE(response.status == 200);
  REQUIRE(response.headers.find("ETag") != nullptr);
  return *response.headers.find("ETag");
}

TEST_CASE("every list comes in pages", "[cluster][lists]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent first = joined(cluster, "n1", 11);
  Caller anonymous = cluster.anonymous();
  for (int i = 2; i <= 3; ++i) {
    SimulatedAgent other = first.named("n" + std::to_string(i), 10 + i);
    other.accept(anonymous.send(other.join_message(cluster.new_token())));
  }
  Caller admin = cluster.admin();
  for (const char* name : {"blue", "red"}) {
    const std::string range = std::string(name) == "blue" ? "10.20.0.0/16" : "10.30.0.0/16";
    REQUIRE(admin.post("/v1/pools", R"({"name": ")" + std::string(name) + R"(", "ranges": [")" + range + R"("]})").status == 201);
  }
  using proto::NodeView, proto::PoolTenant;
  CHECK(walk<proto::NodeList>(admin, "/v1/nodes", [](const NodeView& n) { return n.name; }) == std::vector<std::string>{"n1", "n2", "n3"});
  CHECK(walk<proto::PoolTenantList>(admin, "/v1/pools/default/nodes", [](const PoolTenant& n) { return n.node; }) ==
        std::vector<std::string>{"n1", "n2", "n3"});
  CHECK(walk<proto::PoolTenantList>(admin, "/v1/pools/blue/nodes", [](const PoolTenant& n) { return n.node; }).empty());
  CHECK(walk<proto::PoolList>(admin, "/v1/pools", [](const proto::PoolView& p) { return p.name; }) ==
        std::vector<std::string>{"blue", "default", "red"});
  CHECK(walk<proto::TokenList>(admin, "/v1/tokens", [](const proto::TokenView& t) { return t.id; }).size() == 4);  // with the first master's
  CHECK(walk<proto::JoinAttemptList>(admin, "/v1/joins", [](const proto::JoinAttempt& a) { return a.node_name; }) ==
        std::vector<std::string>{"n3", "n2", "n1"});
  CHECK(walk<proto::PendingNodeList>(admin, "/v1/pending", [](const proto::PendingNodeView& p) { return p.name; }).empty());
  CHECK(walk<proto::ArtifactList>(admin, "/v1/artifacts", [](const proto::Artifact& a) { return a.component; }).empty());
  CHECK(walk<proto::OperatorList>(admin, "/v1/operators", [](const proto::OperatorView& o) { return o.serial; }).size() == 1);
  for (const char* list : {"tokens", "joins", "pending", "pools", "artifacts", "operators", "pools/default/nodes"})
    CHECK(admin.get("/v1/" + std::string(list) + "?limit=0").status == 400);
  CHECK(admin.get("/v1/pools/nobody/nodes").status == 404);
}

TEST_CASE("certificates, tokens and joins are filtered", "[cluster][lists]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  Caller anonymous = cluster.anonymous();
  CHECK(anonymous.send(agent.named("n2", 12).join_message("zzzzzz.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")).status == 403);
  Caller admin = cluster.admin();
  cluster.new_token(3, "master");
  const auto certificates = [&](const std::string& query) { return as<proto::CertificateList>(admin.get("/v1/certificates?" + query)).items; };
  CHECK(certificates("node=n1").size() == usages_of_node().size());
  CHECK(certificates("node=n1&usage=agent").size() == 1);
  CHECK(certificates("usage=kubeletServing&expiresBefore=" + to_rfc3339(ClusterFixture::now() + Seconds(86400))).empty());
  CHECK(certificates("usage=agent&expiresBefore=" + to_rfc3339(ClusterFixture::now() + Seconds(86400))).size() == 1);
  CHECK(admin.get("/v1/certificates?expiresBefore=soon").status == 400);
  const auto tokens = [&](const std::string& query) { return as<proto::TokenList>(admin.get("/v1/tokens?" + query)).items.size(); };
  CHECK(tokens("role=master") == 2);  // with the first master's
  CHECK(tokens("state=used-up") == 1);
  CHECK(tokens("state=used-up&role=master") == 0);
  CHECK(admin.get("/v1/tokens?state=new").status == 400);
  const auto joins = [&](const std::string& query) { return as<proto::JoinAttemptList>(admin.get("/v1/joins?" + query)).items; };
  CHECK(joins("accepted=true").at(0).node_name == "n1");
  CHECK(joins("accepted=false&stage=token").at(0).node_name == "n2");
  CHECK(joins("node=n1").size() == 1);
  CHECK(admin.get("/v1/joins?continue=x").status == 400);
}

TEST_CASE("what has changed since it was read is not changed on an old look", "[cluster][lists]") {
  ClusterFixture cluster;
  cluster.start();
  joined(cluster, "n1", 11);
  Caller admin = cluster.admin();
  const std::string node = "/v1/nodes/n1";
  const std::string before = etag_of(admin, node);
  CHECK(changed(admin, Method::post, node + "/replace", "\"x\"", "{}").status == 412);
  CHECK(changed(admin, Method::post, node + "/replace", before, "{}").status == 201);
  const std::string after = etag_of(admin, node);
  CHECK(after != before);
  const auto refused = changed(admin, Method::del, node, before);
  CHECK(refused.status == 412);
  CHECK(as<proto::Problem>(refused).code == "preconditionFailed");
  CHECK(changed(admin, Method::del, node, after).status == 204);

  const std::string pool = "/v1/pools/default";
  const std::string first = etag_of(admin, pool);
  CHECK(changed(admin, Method::post, pool + "/drain", "\"x\"", "{}").status == 412);
  const auto drained = changed(admin, Method::post, pool + "/drain", first, "{}");
  CHECK(drained.status == 200);
  CHECK(*drained.headers.find("ETag") == etag_of(admin, pool));
  const std::string wider = R"({"ranges": ["10.10.0.0/15"]})";
  const std::string hold = R"({"block": "10.10.7.0/24"})";
  CHECK(changed(admin, Method::post, pool + "/grow", first, wider).status == 412);
  CHECK(changed(admin, Method::post, pool + "/reservations", first, hold).status == 412);
  CHECK(changed(admin, Method::del, pool, first).status == 412);
  CHECK(changed(admin, Method::post, pool + "/grow", "*", wider).status == 200);
  const std::string grown = etag_of(admin, pool);
  CHECK(changed(admin, Method::post, pool + "/reservations", grown, hold).status == 201);
  CHECK(changed(admin, Method::del, pool + "/reservations/10.10.7.0-24", grown).status == 412);
  CHECK(changed(admin, Method::del, pool + "/reservations/10.10.7.0-24", etag_of(admin, pool)).status == 204);

  const std::string ca = "/v1/cas/etcd";
  const std::string stable = etag_of(admin, ca);
  const std::string prepare = proto::encode(proto::CaChangeRequest{"prepare", false, false});
  CHECK(changed(admin, Method::post, ca, stable, prepare).status == 200);
  CHECK(changed(admin, Method::post, ca, stable, proto::encode(proto::CaChangeRequest{"abort", false, false})).status == 412);
  CHECK(as<proto::CaView>(admin.get(ca)).phase == "distributing");
  CHECK(admin.get("/v1/cas/nothing").status == 404);
}

}  // namespace
}  // namespace slipway::test
