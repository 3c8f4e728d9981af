// A fleet behind one translated address, before a whole coordinator and from real addresses: a network namespace with
// several on its loopback link.
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/netns.hpp"

namespace slipway::test {
namespace {

using http::Method;

constexpr const char* k_gateway = "203.0.113.7";
constexpr const char* k_second_gateway = "203.0.113.8";
constexpr const char* k_unlisted = "198.51.100.7";

bool skipped() {
  if (!is_root()) WARN("SKIPPED: needs root (a network namespace)");
  return !is_root();
}

struct Rig {
  explicit Rig(JoinLimits limits = ClusterFixture::wide_limits(), http::ServerLimits http = {})
      : cluster(yaml("natSources: [203.0.113.0/28]")) {
    for (const std::string address : {k_gateway, k_second_gateway, k_unlisted, "10.77.0.11"}) run_words("ip addr add " + address + "/32 dev lo");
    cluster.http_limits = http;
    cluster.start(limits);
  }
  static std::string yaml(const std::string& setting) {
    std::string text = k_cluster_yaml;
    const std::string before = "nodeCIDRs: [10.77.0.0/16]";
    return text.replace(text.find(before), before.size(), before + ", " + setting);
  }
  // Without a certificate when `agent` is null.
  Caller from(const std::string& address, const SimulatedAgent* agent = nullptr) {
    Caller caller = cluster.anonymous();
    http::Endpoint endpoint{"127.0.0.1", cluster.app->port(), IpAddress::parse(address).value()};
    auto tls = http::TlsClientContext::make(cluster.admin_cluster.ca_certificate, nullptr).value();
    if (agent != nullptr) tls = cluster.tls(agent->certificates.at("agent"), *agent->keys.at("agent").to_pem());
    caller.client = http::Client(cluster.clients.executor(), endpoint, std::move(tls));
    return caller;
  }
  http::Response join(const SimulatedAgent& agent, const std::string& address, const std::string& token) {
    return from(address).send(agent.join_message(token));
  }
  SimulatedAgent joined_from(const std::string& address, const std::string& name, int host) {
    SimulatedAgent agent(name, host);
    agent.accept(join(agent, address, cluster.new_token()));
    return agent;
  }
  http::Response move(const SimulatedAgent& agent, const std::string& address, const std::string& says) {
    proto::RenewRequest request;
    request.csrs["kubeletServing"] = make_csr(PrivateKey::generate_p256().value()).value();
    request.address = says;
    return from(address, &agent).send(request_of(Method::post, "/v1/agent/certificates", proto::encode(request)));
  }
  std::string address_of(const std::string& name) { return as<proto::NodeView>(cluster.admin().get("/v1/nodes/" + name)).address; }
  void set_nat_sources(std::vector<std::string> sources) {
    Caller admin = cluster.admin();
    auto view = as<proto::ClusterView>(admin.get("/v1/cluster"));
    view.spec.network.nat_sources = std::move(sources);
    const auto applied = admin.put("/v1/cluster", proto::encode(view.spec));
    if (applied.status != 200) FAIL(applied.body);
  }

  NetNamespace ns;  // before the coordinator's threads: they live where they are made
  ClusterFixture cluster;
};

TEST_CASE("nodes behind one address have each their own", "[cluster][nat]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = rig.joined_from(k_gateway, "n1", 21), two = rig.joined_from(k_gateway, "n2", 22);
  for (const SimulatedAgent* agent : {&one, &two}) {
    CHECK(agent->reply.address == agent->address);
    CHECK(rig.address_of(agent->name) == agent->address);
    CHECK(Certificate::from_pem(agent->certificates.at("kubeletServing"))->ip_addresses() ==
          std::vector<IpAddress>{IpAddress::parse(agent->address).value()});
  }
  CHECK(one.reply.pod_cidr != two.reply.pod_cidr);
  // They sync, report and renew from there, and over the gateway's other address; with their keys they return without a token.
  Caller caller = rig.from(k_gateway, &one);
  CHECK(caller.get("/v1/agent/sync").status == 200);
  CHECK(caller.post("/v1/agent/status", proto::encode(proto::NodeStatusReport{})).status == 204);
  CHECK(caller.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{one.csrs})).status == 200);
  CHECK(rig.from(k_second_gateway, &one).get("/v1/agent/sync").status == 200);
  CHECK(rig.join(two, k_second_gateway, "").status == 200);
  // A copy that speaks from where no gateway is listed.
  CHECK(rig.from(k_unlisted, &one).get("/v1/agent/sync").status == 403);
  rig.cluster.stop();
  rig.cluster.start();
  CHECK(rig.from(k_gateway, &two).get("/v1/agent/sync").status == 200);
  rig.joined_from(k_gateway, "n3", 23);
}

TEST_CASE("behind NAT a host may name a free address of the nodes and no other", "[cluster][nat]") {
  if (skipped()) return;
  Rig rig;
  rig.joined_from(k_gateway, "n1", 21);
  const std::string token = rig.cluster.new_token(9);
  const auto refused = [&](const std::string& from, const std::string& says, int status, const std::string& because) {
    INFO(from << " says " << says);
    SimulatedAgent agent("n9", 29);
    agent.address = says;
    const http::Response response = rig.join(agent, from, token);
    CHECK(response.status == status);
    CHECK(as<proto::Problem>(response).detail.find(because) != std::string::npos);
  };
  refused(k_gateway, "10.77.0.21", 409, "live node n1");
  refused(k_gateway, "10.78.0.1", 403, "nodeCIDRs");
  refused(k_gateway, k_gateway, 403, "nodeCIDRs");
  refused(k_gateway, "10.10.3.3", 403, "pod range");
  refused(k_gateway, "10.77.0.10", 403, "API server");
  refused(k_gateway, "127.0.0.1", 403, "loopback");
  refused(k_unlisted, "10.77.0.29", 403, "natSources");
  refused("10.77.0.11", "10.77.0.29", 403, "connects from 10.77.0.11");
  CHECK(rig.joined_from("10.77.0.11", "n2", 11).reply.address == "10.77.0.11");
}

TEST_CASE("a token's sources are those of the connection, whatever address the host has", "[cluster][nat]") {
  if (skipped()) return;
  Rig rig;
  Caller admin = rig.cluster.admin();
  const auto token_from = [&admin](const std::string& source) {
    proto::TokenRequest wish;
    wish.sources = {source};
    const auto reply = as<proto::TokenReply>(admin.post("/v1/tokens", proto::encode(wish)));
    return reply.token.substr(reply.token.find("::") + 2);
  };
  CHECK(rig.join(SimulatedAgent("n1", 21), k_gateway, token_from("10.77.0.0/16")).status == 403);
  CHECK(rig.join(SimulatedAgent("n1", 21), k_gateway, token_from("203.0.113.8/32")).status == 403);
  CHECK(rig.join(SimulatedAgent("n1", 21), k_gateway, token_from("203.0.113.0/24")).status == 200);
}

TEST_CASE("a node behind NAT moves by its word, but not from where it is heard itself", "[cluster][nat]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = rig.joined_from(k_gateway, "n1", 21), two = rig.joined_from("10.77.0.11", "n2", 11);
  CHECK(rig.from(k_gateway, &one).get("/v1/agent/sync").status == 200);
  CHECK(as<proto::RenewReply>(rig.move(one, k_gateway, "10.77.0.31")).address == "10.77.0.31");
  CHECK(rig.address_of("n1") == "10.77.0.31");
  CHECK(rig.move(one, k_gateway, "10.77.0.11").status == 409);
  CHECK(rig.move(one, k_gateway, "10.78.0.1").status == 403);
  // n2 lives at its own address: who has its keys behind the gateway is a copy.
  CHECK(rig.from("10.77.0.11", &two).get("/v1/agent/sync").status == 200);
  const http::Response copy = rig.move(two, k_gateway, "10.77.0.32");
  CHECK(copy.status == 403);
  CHECK(as<proto::Problem>(copy).detail.find("two live agents") != std::string::npos);
  CHECK(rig.join(two, k_gateway, "").status == 403);  // also when it says the very address
  CHECK(rig.address_of("n2") == "10.77.0.11");
}

TEST_CASE("the list may change while the cluster lives", "[cluster][nat]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = rig.joined_from(k_gateway, "n1", 21);
  rig.set_nat_sources({});
  CHECK(rig.join(SimulatedAgent("n2", 22), k_gateway, rig.cluster.new_token()).status == 403);
  CHECK(rig.move(one, k_gateway, "10.77.0.31").status == 403);
  CHECK(rig.from(k_gateway, &one).get("/v1/agent/sync").status == 200);  // who is in stays: its identity counts
  rig.set_nat_sources({"198.51.100.7/32", "203.0.113.7/32"});
  rig.joined_from(k_unlisted, "n2", 22);
  rig.joined_from(k_gateway, "n3", 23);
  Caller admin = rig.cluster.admin();
  CHECK(admin.post("/v1/pools", R"({"name": "x", "ranges": ["203.0.113.0/24"], "nodePrefixLength": 24})").body.find("network.natSources") != std::string::npos);
}

// The limits are those of every day but for the spare looks, of which there are none: who is heard is heard by the rule.
TEST_CASE("two hundred nodes join and return behind one address while a neighbour guesses", "[cluster][nat]") {
  if (skipped()) return;
  JoinLimits limits;
  limits.spare_burst = limits.spare_per_second = 0;
  Rig rig(limits);
  const std::string token = rig.cluster.new_token(200);
  const std::string guess = token.substr(0, 7) + std::string(32, 'a');
  SimulatedAgent attacker("attacker", 9);
  const auto guesses = [&](const std::string& from, int count) {
    Caller guessing = rig.from(from);
    int heard = 0;
    for (int i = 0; i < count; ++i) heard += guessing.send(attacker.join_message(guess)).status == 403;
    return heard;
  };
  // As many as one address would not be forgiven by far.
  CHECK(guesses(k_gateway, 40) == 40);
  const SimulatedAgent keys("keys", 1);
  std::vector<SimulatedAgent> fleet;
  for (int i = 0; i < 200; ++i) fleet.push_back(keys.named("honest-" + std::to_string(i), 1000 + i));
  const auto all_join = [&](const std::string& by) {
    std::vector<std::unique_ptr<Caller>> callers;
    std::size_t done = 0;
    int in = 0;
    for (const SimulatedAgent& agent : fleet) {
      callers.push_back(std::make_unique<Caller>(rig.from(k_gateway)));
      rig.cluster.clients.start(callers.back()->client.send(agent.join_message(by), std::chrono::seconds(60)), [&](Result<http::Response> reply) {
        ++done;
        in += reply && reply->status == 200;
      });
    }
    rig.cluster.clients.run_until([&] { return done == fleet.size(); });
    return in;
  };
  CHECK(all_join(token) == 200);
  CHECK(all_join("") == 200);  // by their keys
  // The neighbour goes on until it is heard no more: the same then holds as for everybody when the total is used up.
  CHECK(guesses(k_gateway, 400) < 400);
  CHECK(rig.join(SimulatedAgent("late", 30), k_gateway, rig.cluster.new_token()).status == 200);
  CHECK(rig.join(SimulatedAgent("elsewhere", 11), "10.77.0.11", "zzzzzz." + std::string(32, 'a')).status == 403);  // heard as ever
}

}  // namespace
}  // namespace slipway::test
