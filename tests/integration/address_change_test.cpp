// A node whose address changes, before a whole coordinator and from real addresses: a network namespace with
// several on its loopback link.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>

#include "agent/client/http_coordinator.hpp"
#include "agent/host_facts.hpp"
#include "agent/service/address_follow.hpp"
#include "agent/service/enroll.hpp"
#include "agent/service/renew.hpp"
#include "agent/store/file_node_store.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "coordinator/app.hpp"
#include "proto/audit.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/netns.hpp"

namespace slipway::test {
namespace {

using http::Method;

bool skipped() {
  if (!is_root()) WARN("SKIPPED: needs root (a network namespace)");
  return !is_root();
}

struct Rig {
  explicit Rig(const std::string& address_change = "follow") : cluster(yaml(address_change)) {
    for (const char* host : {"11", "12", "31", "32"})
      run_words("ip addr add 10.77.0." + std::string(host) + "/32 dev lo");
    cluster.start();
  }
  static std::string yaml(const std::string& address_change) {
    std::string text = k_cluster_yaml;
    const std::string before = "nodeCIDRs: [10.77.0.0/16]";
    return text.replace(text.find(before), before.size(), before + ", addressChange: " + address_change);
  }
  Caller from(const SimulatedAgent& agent, const std::string& address) {
    Caller caller = agent.caller(cluster);
    const auto key = agent.keys.at("agent").to_pem();
    http::Endpoint endpoint{"127.0.0.1", cluster.app->port(), IpAddress::parse(address).value()};
    caller.client =
        http::Client(cluster.clients.executor(), endpoint, cluster.tls(agent.certificates.at("agent"), *key));
    return caller;
  }
  // n1 asks, from one address, to be at another.
  http::Response move(const SimulatedAgent& agent, const std::string& connects_from, const std::string& says,
                      const std::string& csr) {
    proto::RenewRequest request;
    request.csrs["kubeletServing"] = csr;
    request.address = says;
    return from(agent, connects_from)
        .send(request_of(Method::post, "/v1/agent/certificates", proto::encode(request)));
  }
  std::string address_of(const std::string& name) {
    return as<proto::NodeView>(cluster.admin().get("/v1/nodes/" + name)).address;
  }

  NetNamespace ns;  // before the coordinator's threads: they live where they are made
  ClusterFixture cluster;
};

std::string new_csr() {
  return make_csr(PrivateKey::generate_p256().value()).value();
}

std::string serial_of(const std::string& pem) {
  return Certificate::from_pem(pem)->serial_hex();
}

TEST_CASE("a node moves with its block: certificate, record, peers and audit log say where to",
          "[cluster][move]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = joined(rig.cluster, "n1", 11), two = joined(rig.cluster, "n2", 12);
  Caller peer = two.caller(rig.cluster);
  const proto::DesiredState before = published_with(peer, 2);
  const std::string csr = new_csr();
  const http::Response response = rig.move(one, "10.77.0.31", "10.77.0.31", csr);
  REQUIRE(response.status == 200);
  const auto moved = as<proto::RenewReply>(response);
  CHECK(moved.address == "10.77.0.31");
  const std::string pem = moved.certificates.at("kubeletServing");
  CHECK(Certificate::from_pem(pem)->ip_addresses() ==
        std::vector<IpAddress>{IpAddress::parse("10.77.0.31").value()});
  CHECK(rig.address_of("n1") == "10.77.0.31");
  const auto after = as<proto::DesiredState>(peer.get(sync_behind(before) + "&wait=60"));
  for (const proto::PeerNode& node : after.nodes) {
    const bool is_one = node.name == "n1";
    CHECK(node.address == (is_one ? "10.77.0.31" : "10.77.0.12"));
    if (is_one) CHECK(node.pod_cidr == one.reply.pod_cidr);
    CHECK(node.generation == 1);
  }
  // An answer that was lost is asked for again, from where the node is now.
  CHECK(as<proto::RenewReply>(rig.move(one, "10.77.0.31", "10.77.0.31", csr))
            .certificates.at("kubeletServing") == pem);
  // Its old address is free for others, and its own no more.
  CHECK(joined(rig.cluster, "n3", 11).reply.address == "10.77.0.11");
  bool told = false;
  for (const proto::AuditRecord& record :
       as<proto::AuditList>(rig.cluster.admin().get("/v1/audit?limit=1000")).items) {
    if (record.action != "node.move") continue;
    told = record.node == "n1" && record.detail.find("was at 10.77.0.11") != std::string::npos &&
           record.certificates.size() == 1 && record.certificates[0].serial == serial_of(pem) &&
           record.actor.address == "10.77.0.31";
  }
  CHECK(told);
  rig.cluster.stop();
  rig.cluster.start();
  CHECK(rig.address_of("n1") == "10.77.0.31");
}

TEST_CASE("the connection decides where a node is, not its word", "[cluster][move]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = joined(rig.cluster, "n1", 11);
  joined(rig.cluster, "n2", 12);
  const auto refused = [&](const std::string& from, const std::string& says, int status,
                           const std::string& because) {
    INFO(from << " says " << says);
    const http::Response response = rig.move(one, from, says, new_csr());
    CHECK(response.status == status);
    CHECK(as<proto::Problem>(response).detail.find(because) != std::string::npos);
  };
  refused("10.77.0.31", "10.77.0.32", 403, "connects from 10.77.0.31");
  refused("10.77.0.12", "10.77.0.12", 409, "live node n2");
  refused("10.77.0.31", "rubbish", 400, "address");
  CHECK(rig.address_of("n1") == "10.77.0.11");
}

TEST_CASE("a copy does not carry a node away that is heard at home", "[cluster][move]") {
  if (skipped()) return;
  Rig rig;
  const SimulatedAgent one = joined(rig.cluster, "n1", 11);
  CHECK(rig.from(one, "10.77.0.11").get("/v1/agent/sync").status == 200);
  const http::Response response = rig.move(one, "10.77.0.31", "10.77.0.31", new_csr());
  CHECK(response.status == 403);
  CHECK(as<proto::Problem>(response).detail.find("two live agents") != std::string::npos);
  CHECK(rig.address_of("n1") == "10.77.0.11");
}

TEST_CASE("an operator may forbid moves, and masters never move", "[cluster][move]") {
  if (skipped()) return;
  Rig rig("refuse");
  const SimulatedAgent one = joined(rig.cluster, "n1", 11),
                       master = joined(rig.cluster, "m1", 12, NodeRole::master);
  const http::Response strict = rig.move(one, "10.77.0.31", "10.77.0.31", new_csr());
  CHECK(strict.status == 403);
  CHECK(as<proto::Problem>(strict).detail.find("addressChange") != std::string::npos);
  const http::Response of_master = rig.move(master, "10.77.0.32", "10.77.0.32", new_csr());
  CHECK(of_master.status == 403);
  CHECK(as<proto::Problem>(of_master).detail.find("static") != std::string::npos);
}

// Two hosts with a cable between them: the test's thread is on the second one, the coordinator's threads on
// the first.
struct TwoHosts {
  TwoHosts() {
    const std::string there = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(first_ns.get());
    second = std::make_unique<NetNamespace>();
    run_words("ip link add eth0 type veth peer name eth0 netns " + there);
    run_words("ip addr add 10.77.0.21/24 dev eth0");
    run_words("ip link set eth0 up");
    const UniqueFd here(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    REQUIRE(::setns(first_ns.get(), CLONE_NEWNET) == 0);
    run_words("ip addr add 10.77.0.10/24 dev eth0");
    run_words("ip link set eth0 up");
    cluster = std::make_unique<ClusterFixture>();
    cluster->listen = "0.0.0.0:0";
    cluster->start();
    token = as<proto::TokenReply>(cluster->admin().post("/v1/tokens", "{}")).token;
    REQUIRE(::setns(here.get(), CLONE_NEWNET) == 0);
  }
  // The cluster's clients connect when they are asked: from the first host.
  std::string address_of(const std::string& name) {
    const UniqueFd here(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    REQUIRE(::setns(first_ns.get(), CLONE_NEWNET) == 0);
    const std::string address = as<proto::NodeView>(cluster->admin().get("/v1/nodes/" + name)).address;
    REQUIRE(::setns(here.get(), CLONE_NEWNET) == 0);
    return address;
  }

  NetNamespace first;
  UniqueFd first_ns{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  std::unique_ptr<ClusterFixture> cluster;
  std::string token;
  std::unique_ptr<NetNamespace> second;
};

TEST_CASE("an agent whose host gets another address follows it by itself", "[cluster][move]") {
  if (skipped()) return;
  TwoHosts hosts;
  TempDir dir;
  ManualClock clock{ClusterFixture::now()};
  IoTest io;
  Workers workers{1};
  const std::vector<http::Endpoint> coordinators = {{"10.77.0.10", hosts.cluster->app->port()}};
  auto store = FileNodeStore::open(dir / "agent").value();
  HttpCoordinator coordinator(io.executor(), coordinators);
  AgentState state;
  const Enroller::Deps deps{*store, *store, coordinator, clock, workers, state};
  EnrollSettings settings;
  settings.role = "node";
  settings.node_name = "web-1";
  settings.read_token = [&hosts]() -> Result<Secret> { return Secret(hosts.token); };
  settings.node_address = [&coordinators] { return local_address_towards(coordinators); };
  Enroller enroller(settings, deps, 7);
  REQUIRE(io.run(enroller.attempt()));
  CHECK(state.identity->address == "10.77.0.21");
  CHECK(hosts.address_of("web-1") == "10.77.0.21");
  AddressFollower follower({clock, workers, state, [&coordinators](IpAddress registered) {
                              return address_sight(registered, "", coordinators);
                            }});
  Renewer renewer("node", deps, enroller);
  const auto look = [&] {
    REQUIRE(io.run(follower.look_once()));
    return state.moves_to;
  };
  CHECK_FALSE(look());
  // A second address beside the old one is no move, nor is a link without any.
  run_words("ip addr add 10.77.0.61/24 dev eth0");
  CHECK_FALSE(look());
  clock.advance(k_address_grace);
  CHECK_FALSE(look());
  run_words("ip addr flush dev eth0");
  CHECK_FALSE(look());
  run_words("ip addr add 10.77.0.61/24 dev eth0");
  CHECK_FALSE(look());
  clock.advance(k_address_grace);
  REQUIRE(look() == IpAddress::parse("10.77.0.61").value());
  REQUIRE(io.run(renewer.tick()));
  CHECK(state.identity->address == "10.77.0.61");
  CHECK_FALSE(look());
  CHECK(hosts.address_of("web-1") == "10.77.0.61");
  const auto chain = Certificate::chain_from_pem(store->pair("kubeletServing").value()->chain_pem).value();
  CHECK(chain.front().ip_addresses() == std::vector<IpAddress>{IpAddress::parse("10.77.0.61").value()});
  const auto desired = io.run(coordinator.sync({}));  // mutual TLS goes on from the new address
  REQUIRE(desired);
  CHECK(desired->value().json.find("10.77.0.61") != std::string::npos);
}

}  // namespace
}  // namespace slipway::test
