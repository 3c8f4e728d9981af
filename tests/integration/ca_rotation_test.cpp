// Authorities of a running coordinator are replaced under simulated agents, over real TLS.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "coordinator/app.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/convert_keys.hpp"
#include "coordinator/init.hpp"
#include "proto/audit.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using Catch::Matchers::Contains;
using http::Method;

http::Response step(ClusterFixture& cluster, const std::string& kind, const std::string& action, bool force = false) {
  return cluster.admin().post("/v1/cas/" + kind, proto::encode(proto::CaChangeRequest{action, force, false}));
}

proto::CaView status(ClusterFixture& cluster, const std::string& kind) {
  for (const auto& ca : as<proto::CaList>(cluster.admin().get("/v1/cas")).items) {
    if (ca.kind == kind) return ca;
  }
  FAIL("there is no authority " << kind);
  return {};
}

// What an agent does about the announcement: fetch, check the digest, say so; renew what another CA signed.
struct Follower {
  SimulatedAgent agent;
  std::map<std::string, std::string> bundles = agent.reply.ca_bundles;

  Caller caller(ClusterFixture& cluster) const {
    const auto key = agent.keys.find("agent")->second.to_pem();
    http::ClientIdentity identity{agent.certificates.at("agent"), key->copy()};
    auto tls = http::TlsClientContext::make(bundles.at("fabric"), &identity);
    REQUIRE(tls);
    return Caller(cluster.clients, cluster.app->port(), *tls);
  }
  // Whether what is published is, or soon becomes, as wanted: a step is answered when it is durable, which may be before it is published.
  bool sees(ClusterFixture& cluster, const std::function<bool(const proto::DesiredState&)>& wanted) const {
    Caller asking = caller(cluster);
    auto state = as<proto::DesiredState>(asking.get("/v1/agent/sync"));
    while (!wanted(state)) {
      const auto later = asking.get(sync_behind(state) + "&wait=10");
      if (later.status == 204) return false;
      state = as<proto::DesiredState>(later);
    }
    return true;
  }
  bool sees_own_bundles(ClusterFixture& cluster) const {
    return sees(cluster, [this](const proto::DesiredState& state) {
      return std::all_of(state.cas.begin(), state.cas.end(), [this](const auto& ca) {
        return bundles.count(ca.kind) == 0 || sha256_hex(bundles.at(ca.kind)) == ca.bundle_sha256;
      });
    });
  }
  void report(ClusterFixture& cluster) const {
    proto::NodeStatusReport report;
    report.phase = "Running";
    for (const auto& [kind, pem] : bundles) report.ca_bundles[kind] = sha256_hex(pem);
    for (const auto& [usage, pem] : agent.certificates) {
      report.certificates.push_back({usage, Certificate::chain_from_pem(pem)->front().serial_hex(), ""});
    }
    CHECK(caller(cluster).post("/v1/agent/status", proto::encode(report)).status == 204);
  }
  void take_bundles(ClusterFixture& cluster) {
    bundles = as<proto::CaBundles>(caller(cluster).get("/v1/agent/ca-bundles")).ca_bundles;
    CHECK(sees_own_bundles(cluster));
    report(cluster);
  }
  void renew(ClusterFixture& cluster) {
    Caller before = caller(cluster);
    agent.new_keys();
    const auto reply = as<proto::RenewReply>(before.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{agent.csrs})));
    agent.certificates = reply.certificates;
  }
  // That so many certificates are not from the CA announced as signing.
  bool foreign(ClusterFixture& cluster, const std::string& kind, int wanted) const {
    return sees(cluster, [this, &kind, wanted](const proto::DesiredState& state) { return foreign_in(state, kind) == wanted; });
  }
  int foreign_in(const proto::DesiredState& state, const std::string& kind) const {
    int count = 0;
    for (const auto& [usage, pem] : agent.certificates) {
      if (to_string(ca_of(*cert_usage_from_string(usage))) != kind) continue;
      for (const auto& ca : state.cas) {
        if (ca.kind == kind) count += to_hex(Certificate::chain_from_pem(pem)->front().authority_key_id()) != ca.key_id;
      }
    }
    return count;
  }
};

void restart(ClusterFixture& cluster) {
  cluster.stop();
  cluster.start();
}

TEST_CASE("an authority is replaced under living nodes, also with a restart after each step", "[cluster][ca]") {
  const bool restarts = GENERATE(false, true);
  ClusterFixture cluster;
  cluster.start();
  Follower one{joined(cluster, "node-1", 11)};
  Follower two{joined(cluster, "node-2", 12)};
  CHECK(status(cluster, "kubeClient").phase == "stable");
  CHECK(step(cluster, "kubeClient", "activate").status == 409);
  CHECK(one.sees_own_bundles(cluster));  // nothing to fetch or to restart for
  CHECK(one.foreign(cluster, "kubeClient", 0));

  const auto prepared = as<proto::CaView>(step(cluster, "kubeClient", "prepare"));
  CHECK(prepared.phase == "distributing");
  CHECK(prepared.waiting_for == std::vector<std::string>{"node-1", "node-2"});
  REQUIRE(prepared.other);
  CHECK(prepared.other->number == 2);
  if (restarts) restart(cluster);
  one.take_bundles(cluster);
  CHECK(Certificate::chain_from_pem(one.bundles.at("kubeClient"))->size() == 2);
  CHECK(one.bundles.count("etcd") == 0);
  // A node that is off holds the step, and what it said before of another bundle does not count.
  two.report(cluster);
  const auto held = step(cluster, "kubeClient", "activate");
  CHECK(held.status == 409);
  CHECK_THAT(held.body, Contains("node-2") && !Contains("node-1"));
  two.take_bundles(cluster);
  if (restarts) {
    restart(cluster);
    CHECK(step(cluster, "kubeClient", "activate").status == 409);  // not heard of since the start
    one.report(cluster);
    two.report(cluster);
  }
  const auto activated = as<proto::CaView>(step(cluster, "kubeClient", "activate"));
  CHECK(activated.phase == "replacing");
  CHECK(activated.signing.number == 2);
  if (restarts) restart(cluster);
  CHECK(one.foreign(cluster, "kubeClient", 2));  // kubelet client and kube-proxy

  one.renew(cluster);
  CHECK(one.foreign(cluster, "kubeClient", 0));
  const auto early = step(cluster, "kubeClient", "retire");
  CHECK(early.status == 409);
  CHECK_THAT(early.body, Contains("node-2 (kubeletClient)") && Contains("node-1 (kubeletClient, has not said"));
  two.renew(cluster);
  one.report(cluster);
  two.report(cluster);
  if (restarts) {
    restart(cluster);
    one.report(cluster);
    two.report(cluster);
  }
  const auto retired = as<proto::CaView>(step(cluster, "kubeClient", "retire"));
  CHECK(retired.phase == "stable");
  CHECK_FALSE(retired.other);
  CHECK_FALSE(std::filesystem::exists(cluster.dir / "data/ca/kubeClient-ca.key"));
  if (restarts) restart(cluster);
  one.take_bundles(cluster);
  CHECK(Certificate::chain_from_pem(one.bundles.at("kubeClient"))->size() == 1);
  one.renew(cluster);
  CHECK(one.foreign(cluster, "kubeClient", 0));
  // And once more, with numbers that go on.
  CHECK(as<proto::CaView>(step(cluster, "kubeClient", "prepare")).other->number == 3);
}

TEST_CASE("a replacement is taken back before and after the new one has signed", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  Follower node{joined(cluster, "node-1", 11)};
  const std::string first = status(cluster, "kubeletServing").bundle_sha256;
  REQUIRE(step(cluster, "kubeletServing", "prepare").status == 200);
  CHECK(as<proto::CaView>(step(cluster, "kubeletServing", "abort")).bundle_sha256 == first);
  CHECK_FALSE(std::filesystem::exists(cluster.dir / "data/ca/kubeletServing-ca-2.key"));
  REQUIRE(step(cluster, "kubeletServing", "prepare").status == 200);
  node.take_bundles(cluster);
  REQUIRE(step(cluster, "kubeletServing", "activate").status == 200);
  node.renew(cluster);
  CHECK(node.foreign(cluster, "kubeletServing", 0));
  const auto back = as<proto::CaView>(step(cluster, "kubeletServing", "abort"));
  CHECK(back.phase == "reverting");
  CHECK(back.signing.number == 1);
  restart(cluster);
  CHECK(node.foreign(cluster, "kubeletServing", 1));
  CHECK(step(cluster, "kubeletServing", "retire").status == 409);
  node.renew(cluster);
  node.report(cluster);
  CHECK(as<proto::CaView>(step(cluster, "kubeletServing", "retire")).bundle_sha256 == first);
  restart(cluster);
  CHECK(status(cluster, "kubeletServing").signing.number == 1);
}

TEST_CASE("the fabric authority is replaced: old trust, tokens and connections hold until the retire", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  Follower node{joined(cluster, "node-1", 11)};
  const auto old_cluster = as<proto::ClusterView>(cluster.admin().get("/v1/cluster"));
  REQUIRE(step(cluster, "fabric", "prepare").status == 200);
  node.take_bundles(cluster);
  REQUIRE(step(cluster, "fabric", "activate").status == 200);
  // The operator trusts the first one only, and is served; so does a host with a token of before.
  CHECK(cluster.admin().get("/v1/cas").status == 200);
  const std::string token = cluster.new_token();
  auto pinned = http::TlsClientContext::make_pinned(old_cluster.ca_sha256);
  REQUIRE(pinned);
  Follower late{[&] {
    SimulatedAgent agent("node-2", 12);
    Caller caller(cluster.clients, cluster.app->port(), *pinned);
    agent.accept(caller.send(agent.join_message(token)));
    return agent;
  }()};
  CHECK(late.foreign(cluster, "fabric", 0));  // signed by the new one already
  node.renew(cluster);
  node.report(cluster);
  late.report(cluster);
  const std::string unused = cluster.new_token();
  const auto held = step(cluster, "fabric", "retire");
  CHECK(held.status == 409);
  CHECK_THAT(held.body, Contains("admin (operatorAdmin") && Contains("join token " + unused.substr(0, 6)) && !Contains("node-"));

  Caller kept = cluster.admin();
  CHECK(kept.get("/v1/cas").status == 200);
  CHECK(step(cluster, "fabric", "retire", true).status == 200);
  // The operator's certificate is of the retired one: neither the open connection nor a new one is heard.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool heard = true;
  while (heard && std::chrono::steady_clock::now() < patience) heard = kept.try_send(request_of(Method::get, "/v1/cas")).has_value();
  CHECK_FALSE(heard);
  CHECK_FALSE(cluster.admin().try_send(request_of(Method::get, "/v1/cas")));
  Caller unlucky(cluster.clients, cluster.app->port(), *pinned);
  const auto refused = unlucky.try_send(SimulatedAgent("node-3", 13).join_message(unused));
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("CA was replaced since"));
  // Nodes do not notice.
  node.take_bundles(cluster);
  CHECK(node.sees(cluster, [](const proto::DesiredState& state) { return state.nodes.size() == 2; }));
  CHECK(late.sees(cluster, [](const proto::DesiredState& state) { return state.nodes.size() == 2; }));
  // A new credential for the operator; tokens pin the new one.
  cluster.stop();
  AdminConfOptions options;
  options.data_dir = cluster.dir / "data";
  options.admin_conf = cluster.dir / "admin.conf";
  REQUIRE(renew_admin_conf(options, cluster.now()));
  const auto json = yaml_to_json(get_file(cluster.dir / "admin.conf"), "admin.conf");
  cluster.admin_cluster = proto::decode_strict<proto::AdminConfig>(*json).value().clusters.at(0);
  cluster.start();
  const auto now = as<proto::ClusterView>(cluster.admin().get("/v1/cluster"));
  CHECK(now.ca_sha256 != old_cluster.ca_sha256);
  auto repinned = http::TlsClientContext::make_pinned(now.ca_sha256);
  REQUIRE(repinned);
  Caller caller(cluster.clients, cluster.app->port(), *repinned);
  CHECK(caller.send(SimulatedAgent("node-4", 14).join_message(cluster.new_token())).status == 200);
}

TEST_CASE("steps stand in the audit log with who took them, and both authorities sign lists of what they issued", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  const auto lists = [&cluster](const std::string& query) {
    const std::string pem = cluster.admin().get("/v1/crl" + query).body;
    std::size_t count = 0;
    for (std::size_t at = pem.find("BEGIN X509 CRL"); at != std::string::npos; at = pem.find("BEGIN X509 CRL", at + 1)) ++count;
    return count;
  };
  CHECK(lists("") == 6);
  Follower gone{joined(cluster, "node-1", 11)};
  REQUIRE(step(cluster, "kubeClient", "prepare").status == 200);
  REQUIRE(cluster.admin().remove("/v1/nodes/node-1").status == 204);
  REQUIRE(step(cluster, "kubeClient", "activate").status == 200);
  CHECK(lists("") == 7);
  CHECK(lists("?ca=kubeClient") == 2);
  // The list of the one in charge is without what the other signed.
  const std::string in_charge = cluster.admin().get("/v1/crl?ca=kubeClient&format=der").body;
  const std::string revoked = from_hex(Certificate::chain_from_pem(gone.agent.certificates.at("kubeProxy"))->front().serial_hex()).value();
  CHECK(in_charge.find(revoked) == std::string::npos);
  REQUIRE(step(cluster, "kubeClient", "retire").status == 200);
  CHECK(lists("") == 6);
  std::vector<std::string> told;
  for (const auto& record : as<proto::AuditList>(cluster.admin().get("/v1/audit?action=ca.")).items) {
    told.push_back(record.action + " " + record.subject);
    CHECK(record.actor.kind == (record.action == "ca.adopt" ? "coordinator" : "operator"));
  }
  REQUIRE(told.size() == 9);  // newest first; each kind was adopted once
  told.resize(3);
  CHECK(told == std::vector<std::string>{"ca.retire kubeClient", "ca.activate kubeClient", "ca.prepare kubeClient"});
}

TEST_CASE("the token of a replacement pins the authority that the coordinator shows", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  Follower node{joined(cluster, "node-1", 11)};
  REQUIRE(step(cluster, "fabric", "prepare").status == 200);
  node.take_bundles(cluster);
  REQUIRE(step(cluster, "fabric", "activate").status == 200);
  const auto before = as<proto::ReplaceReply>(cluster.admin().post("/v1/nodes/node-1/replace", "{}"));
  CHECK_THAT(before.token.token, Contains(status(cluster, "fabric").other->sha256));
  const auto held = step(cluster, "fabric", "retire");
  CHECK_THAT(held.body, Contains("join token " + before.token.id) && !Contains("node-1 (agent"));
}

TEST_CASE("an authority from files takes part, and one that does not fit changes nothing", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  const auto import = [&cluster] {
    return cluster.admin().post("/v1/cas/etcd", proto::encode(proto::CaChangeRequest{"prepare", false, true}));
  };
  CHECK(import().status == 404);  // no such file
  const std::string folder = cluster.dir / "data/import";
  std::filesystem::create_directories(folder);
  const auto data = cluster.dir / "data/ca/etcd-ca";
  std::filesystem::copy_file(data + ".crt", folder + "/etcd-ca.crt");
  std::filesystem::copy_file(data + ".key", folder + "/etcd-ca.key");
  const auto same = import();
  CHECK(same.status == 400);
  CHECK_THAT(same.body, Contains("a key of its own"));
  CHECK(status(cluster, "etcd").phase == "stable");
  // Another cluster's will do.
  ClusterFixture other;
  const auto overwrite = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(other.dir / "data/ca/etcd-ca.crt", folder + "/etcd-ca.crt", overwrite);
  std::filesystem::copy_file(other.dir / "data/ca/etcd-ca.key", folder + "/etcd-ca.key", overwrite);
  CHECK(import().status == 200);
  CHECK(step(cluster, "etcd", "activate").status == 200);  // no master holds it
  CHECK(step(cluster, "etcd", "retire").status == 200);
}

TEST_CASE("what asks for a step wrongly is told what is wrong", "[cluster][ca]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  CHECK(admin.post("/v1/cas/rubbish", R"({"action":"prepare"})").status == 404);
  CHECK(admin.post("/v1/cas/etcd", R"({"action":"explode"})").status == 400);
  CHECK(admin.post("/v1/cas/etcd", R"({"action":"abort","force":true})").status == 400);
  CHECK(admin.post("/v1/cas/etcd", R"({"action":"retire","import":true})").status == 400);
  CHECK(admin.post("/v1/cas/etcd", "{").status == 400);
  Follower node{joined(cluster, "node-1", 11)};
  CHECK(node.caller(cluster).post("/v1/cas/etcd", R"({"action":"prepare"})").status == 403);
  CHECK(node.caller(cluster).get("/v1/cas").status == 403);
  CHECK(admin.get("/v1/agent/ca-bundles").status == 403);
  CHECK(cluster.anonymous().get("/v1/cas").status == 401);
  CHECK(admin.remove("/v1/nodes/node-1").status == 204);
  CHECK(node.caller(cluster).get("/v1/agent/ca-bundles").status == 410);
}

TEST_CASE("a coordinator with encrypted keys starts with its passphrase only, and new keys are encrypted too", "[cluster][ca]") {
  ClusterFixture cluster;
  const std::string file = cluster.dir / "passphrase";
  put_file(file, "correct horse battery staple\n");
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  ConvertOptions convert;
  convert.data_dir = cluster.dir / "data";
  convert.ca_passphrase_file = file;
  const auto converted = convert_ca_keys(convert);
  REQUIRE((converted ? "" : converted.error().message) == std::string());
  CHECK_THAT(*converted, Contains("7 keys are encrypted"));
  AppOptions options;
  options.config.listen = "127.0.0.1:0";
  options.config.data_dir = cluster.dir / "data";
  options.kube = false;
  const auto closed = App::start(options);
  REQUIRE_FALSE(closed);
  CHECK_THAT(closed.error().message, Contains("there is no passphrase"));
  options.config.ca_passphrase_file = file;
  auto opened = App::start(options);
  REQUIRE((opened ? "" : opened.error().message) == std::string());
  cluster.app = std::move(*opened);
  CHECK(convert_ca_keys(convert).error().message.find("coordinator is running") != std::string::npos);
  REQUIRE(step(cluster, "etcd", "prepare").status == 200);
  CHECK_THAT(get_file(cluster.dir / "data/ca/etcd-ca-2.key"), Contains("ENCRYPTED"));
  cluster.stop();
  convert.to = ConvertOptions::To::plain;
  REQUIRE(convert_ca_keys(convert));
  cluster.start();
  CHECK(status(cluster, "etcd").phase == "distributing");
}

}  // namespace
}  // namespace slipway::test
