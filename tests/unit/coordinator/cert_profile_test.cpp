#include "coordinator/domain/cert_profile.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/coordinator/pki_fixture.hpp"

using namespace slipway;
using namespace slipway::test;
using Catch::Matchers::Contains;

namespace {

std::vector<std::string> ips(const CertSpec& spec) {
  std::vector<std::string> texts;
  for (const auto& address : spec.ip_addresses) texts.push_back(address.to_string());
  return texts;
}

struct Row {
  CertUsage usage;
  std::string_view name;
  CaKind issuer;
  std::string organization, common_name;
  bool server, client;
  std::vector<std::string> dns, ip;
};

using Strings = std::vector<std::string>;

const std::vector<Row>& rows() {
  static const Strings api_dns = {"kubernetes",
                                  "kubernetes.default",
                                  "kubernetes.default.svc",
                                  "kubernetes.default.svc.cluster.local",
                                  "api.example.org",
                                  "localhost"};
  static const std::vector<Row> k_rows = {
      {CertUsage::agent, "agent", CaKind::fabric, "", "master-1", false, true, {}, {}},
      {CertUsage::kubelet_client,
       "kubeletClient",
       CaKind::kube_client,
       "system:nodes",
       "system:node:master-1",
       false,
       true,
       {},
       {}},
      {CertUsage::kubelet_serving,
       "kubeletServing",
       CaKind::kubelet_serving,
       "system:nodes",
       "system:node:master-1",
       true,
       false,
       {"master-1"},
       {"10.77.0.10"}},
      {CertUsage::kube_proxy,
       "kubeProxy",
       CaKind::kube_client,
       "system:node-proxier",
       "system:kube-proxy",
       false,
       true,
       {},
       {}},
      {CertUsage::apiserver_serving,
       "apiserverServing",
       CaKind::apiserver,
       "",
       "kube-apiserver",
       true,
       false,
       api_dns,
       {"10.0.0.1", "10.77.0.10", "127.0.0.1"}},
      {CertUsage::apiserver_kubelet_client,
       "apiserverKubeletClient",
       CaKind::kube_client,
       "",
       "slipway:kube-apiserver",
       false,
       true,
       {},
       {}},
      {CertUsage::apiserver_etcd_client,
       "apiserverEtcdClient",
       CaKind::etcd,
       "",
       "kube-apiserver-etcd-client",
       false,
       true,
       {},
       {}},
      {CertUsage::etcd_server,
       "etcdServer",
       CaKind::etcd,
       "",
       "master-1",
       true,
       true,
       {"localhost"},
       {"10.77.0.10", "127.0.0.1"}},
      {CertUsage::etcd_peer,
       "etcdPeer",
       CaKind::etcd,
       "",
       "master-1",
       true,
       true,
       {"localhost"},
       {"10.77.0.10", "127.0.0.1"}},
      {CertUsage::front_proxy_client,
       "frontProxyClient",
       CaKind::front_proxy,
       "",
       "front-proxy-client",
       false,
       true,
       {},
       {}},
      {CertUsage::controller_manager,
       "controllerManager",
       CaKind::kube_client,
       "",
       "system:kube-controller-manager",
       false,
       true,
       {},
       {}},
      {CertUsage::scheduler,
       "scheduler",
       CaKind::kube_client,
       "",
       "system:kube-scheduler",
       false,
       true,
       {},
       {}},
      {CertUsage::coordinator_serving,
       "coordinatorServing",
       CaKind::fabric,
       "",
       "coordinator",
       true,
       false,
       {"coordinator.example.org"},
       {"10.77.0.10"}},
      {CertUsage::coordinator_kube_client,
       "coordinatorKubeClient",
       CaKind::kube_client,
       "",
       "slipway:coordinator",
       false,
       true,
       {},
       {}},
      {CertUsage::operator_admin,
       "operatorAdmin",
       CaKind::fabric,
       "slipway:admin",
       "alice",
       false,
       true,
       {},
       {}},
      {CertUsage::kubeconfig_admin,
       "kubeconfigAdmin",
       CaKind::kube_client,
       "slipway:cluster-admins",
       "alice",
       false,
       true,
       {},
       {}},
      {CertUsage::coordinator_bootstrap,
       "coordinatorBootstrap",
       CaKind::kube_client,
       "system:masters",
       "slipway:bootstrap",
       false,
       true,
       {},
       {}},
      {CertUsage::operator_op,
       "operatorOperator",
       CaKind::fabric,
       "slipway:operator",
       "alice",
       false,
       true,
       {},
       {}},
      {CertUsage::operator_viewer,
       "operatorViewer",
       CaKind::fabric,
       "slipway:viewer",
       "alice",
       false,
       true,
       {},
       {}},
  };
  return k_rows;
}

std::string name_refusal(std::string_view name, bool master = false) {
  const auto verdict = check_node_name(test_cluster(), name, master);
  return verdict ? "accepted" : verdict.error().message;
}

std::string address_refusal(std::string_view text, bool master = false) {
  ProfileNode node = test_input().node;
  node.master = master;
  const auto verdict = check_node_address(test_cluster(), node, IpAddress::parse(text).value());
  if (verdict) return "accepted";
  CHECK(verdict.error().code == Errc::denied);
  return verdict.error().message;
}

}  // namespace

TEST_CASE("each usage has its one profile", "[pki]") {
  CHECK(rows().size() == std::size(k_cert_usages));
  for (const auto& row : rows()) {
    INFO(row.name);
    const auto spec = profile(row.usage, test_input());
    REQUIRE(spec);
    CHECK(spec->usage == row.usage);
    CHECK(spec->issuer == row.issuer);
    CHECK(spec->organization == row.organization);
    CHECK(spec->common_name == row.common_name);
    CHECK(spec->eku == UsageBits{row.server, row.client});
    CHECK(spec->dns_names == row.dns);
    CHECK(ips(*spec) == row.ip);
    CHECK(spec->uris.size() == (row.usage == CertUsage::agent ? 1 : 0));
  }
}

TEST_CASE("usages and authorities have one wire name each", "[pki]") {
  for (const auto& row : rows()) {
    CHECK(to_string(row.usage) == row.name);
    CHECK(cert_usage_from_string(row.name) == row.usage);
  }
  std::set<std::string> names;
  for (const auto kind : k_ca_kinds) {
    CHECK(ca_kind_from_string(to_string(kind)) == kind);
    names.emplace(to_string(kind));
  }
  CHECK(names.size() == 6);
  CHECK_FALSE(cert_usage_from_string("kubelet_client"));
  CHECK_FALSE(cert_usage_from_string(""));
  CHECK_FALSE(ca_kind_from_string("root"));
}

TEST_CASE("a worker gets no certificate of the control plane", "[pki]") {
  auto input = test_input();
  input.node.master = false;
  input.node.name = "worker-1";
  input.node.addresses = {IpAddress::parse("10.77.0.11").value()};
  const std::set<CertUsage> of_node(usages_of_node().begin(), usages_of_node().end());
  for (const auto usage : usages_of_master()) {
    INFO(to_string(usage));
    const auto spec = profile(usage, input);
    CHECK(spec.has_value() == (of_node.count(usage) == 1));
    if (!spec) CHECK(spec.error().code == Errc::denied);
  }
  CHECK(of_node.size() == 4);
  CHECK(usages_of_master().size() == 12);
}

TEST_CASE("node names that mean something else are refused with the reason", "[pki]") {
  for (const char* good :
       {"worker-1", "w1.rack2.example.org", "a", "defaults", "svc1", "ip-10-0-0-1.compute.internal"}) {
    CHECK(name_refusal(good) == "accepted");
  }
  for (const char* bad : {"kubernetes", "kubernetes.default", "kubernetes-node", "localhost", "a.localhost",
                          "localhost.localdomain", "x.svc", "svc", "default", "foo.default", "cluster.local",
                          "node.cluster.local", "10.0.0.1", "coordinator"}) {
    INFO(bad);
    const auto verdict = check_node_name(test_cluster(), bad, true);
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().code == Errc::denied);
  }
  for (const std::string& bad :
       {std::string(), std::string("UPPER"), std::string("a_b"), std::string("-a"), std::string("a..b"),
        std::string("*.example.org"), std::string("a\0b", 3), std::string("a b"), std::string(53, 'a'),
        std::string("m\xc3\xbcller"), std::string("../x"), std::string("a,CN=b")}) {
    INFO(bad);
    const auto verdict = check_node_name(test_cluster(), bad, true);
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().code == Errc::invalid);
  }
  CHECK_THAT(name_refusal("api.example.org"), Contains("only a master"));
  CHECK_THAT(name_refusal("coordinator.example.org"), Contains("only a master"));
  CHECK(name_refusal("api.example.org", true) == "accepted");
  CHECK_THAT(name_refusal("node.cluster.local"), Contains("DNS domain cluster.local"));
  CHECK_THAT(name_refusal(std::string(53, 'a')), Contains("shorter nodeName"));
}

TEST_CASE("addresses a node cannot have are refused with the reason", "[pki]") {
  CHECK(address_refusal("10.77.0.11") == "accepted");
  CHECK_THAT(address_refusal("127.0.0.1"), Contains("loopback"));
  CHECK_THAT(address_refusal("127.1.2.3"), Contains("loopback"));
  CHECK_THAT(address_refusal("::1"), Contains("loopback"));
  CHECK_THAT(address_refusal("169.254.1.1"), Contains("link-local"));
  CHECK_THAT(address_refusal("fe80::1"), Contains("link-local"));
  CHECK_THAT(address_refusal("0.0.0.0"), Contains("unspecified"));
  CHECK_THAT(address_refusal("::"), Contains("unspecified"));
  CHECK_THAT(address_refusal("224.0.0.1"), Contains("multicast"));
  CHECK_THAT(address_refusal("10.10.3.4"), Contains("pod range 10.10.0.0/16"));
  CHECK_THAT(address_refusal("10.0.0.1"), Contains("service range 10.0.0.0/16"));
  CHECK_THAT(address_refusal("192.0.2.1"), Contains("outside network.nodeCIDRs (10.77.0.0/24)"));
  CHECK_THAT(address_refusal("10.77.0.10"), Contains("only a master"));
  CHECK(address_refusal("10.77.0.10", true) == "accepted");
}

TEST_CASE("profiles refuse input that is missing or denied", "[pki]") {
  auto input = test_input();
  input.node.addresses.clear();
  CHECK_FALSE(profile(CertUsage::kubelet_serving, input));
  CHECK_FALSE(profile(CertUsage::etcd_server, input));
  CHECK_FALSE(profile(CertUsage::apiserver_serving, input));
  CHECK(profile(CertUsage::kubelet_client, input));
  input.node.addresses = {IpAddress::parse("10.0.0.1").value()};
  CHECK(profile(CertUsage::kubelet_serving, input).error().code == Errc::denied);
  input = test_input();
  input.node.name = "kubernetes";
  for (const auto usage : usages_of_master()) CHECK_FALSE(profile(usage, input));
  input = test_input();
  input.node.uid = "no-uuid";
  CHECK_FALSE(profile(CertUsage::agent, input));
  input = test_input();
  input.cluster.api_endpoint_host = "*.example.org";
  CHECK_FALSE(profile(CertUsage::apiserver_serving, input));
  input.cluster.coordinator_names.clear();
  CHECK_FALSE(profile(CertUsage::coordinator_serving, input));
  for (const char* user : {"", "system:admin", "a b", "a,O=x", "coordinator", "a\nb"}) {
    input.user_name = user;
    CHECK_FALSE(profile(CertUsage::operator_admin, input));
    CHECK_FALSE(profile(CertUsage::kubeconfig_admin, input));
  }
}

TEST_CASE("the agent's identity reads back, in one spelling only", "[pki]") {
  const std::string cluster = "11111111-2222-4333-8444-555555555555",
                    node = "9b2f1c1e-0000-4000-8000-00000000000a";
  const auto uri = agent_uri(cluster, node, 7);
  CHECK(uri == "urn:slipway:" + cluster + ":node:" + node + ":7");
  const auto read = parse_agent_uri(uri);
  REQUIRE(read);
  CHECK(read->cluster_id == cluster);
  CHECK(read->node_uid == node);
  CHECK(read->generation == 7);
  for (const auto& bad :
       {uri + ":1", uri + "x", "x" + uri, agent_uri(cluster, "x", 1), agent_uri("", node, 1), std::string(),
        "urn:slipway:" + cluster + ":node:" + node + ":07",
        "urn:slipway:" + cluster + ":node:" + node + ":"}) {
    INFO(bad);
    CHECK_FALSE(parse_agent_uri(bad));
  }
}

TEST_CASE("lifetimes are backdated by five minutes, short ones are not shortened", "[pki]") {
  const WallTime now{Seconds(1795348800)};
  Lifetimes lifetimes;
  const auto day = validity_of(ValidityClass::node, lifetimes, now);
  CHECK(day.not_before == now - Seconds(300));
  CHECK(day.not_after - day.not_before == Seconds(86400));
  lifetimes.node = Seconds(8 * 3600);
  CHECK(validity_of(ValidityClass::node, lifetimes, now).not_after == now + Seconds(8 * 3600 - 300));
  lifetimes.node = Seconds(180);
  CHECK(validity_of(ValidityClass::node, lifetimes, now) == Validity{now - Seconds(300), now + Seconds(180)});
  CHECK(validity_of(ValidityClass::serving, lifetimes, now).not_after == now + Seconds(7 * 86400 - 300));
  CHECK(validity_of(ValidityClass::operators, lifetimes, now).not_after == now + Seconds(30 * 86400 - 300));
  const auto admin = validity_of(ValidityClass::admin, lifetimes, now);
  CHECK(admin.not_after - admin.not_before == k_max_admin_life);
  const auto bootstrap = validity_of(ValidityClass::bootstrap, lifetimes, now);
  CHECK(bootstrap.not_after - bootstrap.not_before == k_max_bootstrap_life);
}

TEST_CASE("serial numbers are positive, not zero and fit in 20 octets", "[pki]") {
  const auto serial = Serial::from_random(std::string(16, '\xff'));
  CHECK(serial->hex() == "7f" + std::string(30, 'f'));
  CHECK_FALSE(Serial::from_random(std::string(16, '\0')));
  CHECK_FALSE(Serial::from_random("\x80" + std::string(15, '\0')));
  CHECK_FALSE(Serial::from_random(std::string(15, 'x')));
  CHECK(Serial::from_random(std::string(3, '\0') + std::string(13, '\x81'))->bytes().size() == 13);
  CHECK(Serial::from_hex("0a")->hex() == "0a");
  const WallTime now = parse_rfc3339("2026-11-22T12:00:00Z").value();
  const auto first = Serial::in_order(now, 0xfffe, std::string(14, '\xff')), next = Serial::in_order(now, 0xffff, std::string(14, '\0')),
             later = Serial::in_order(now + Seconds(2), 0, std::string(14, '\0'));
  CHECK(first->bytes().size() == 20);
  CHECK(first->hex() < next->hex());
  CHECK(next->hex() < later->hex());
  CHECK(*Serial::from_hex(first->hex()) == *first);
  CHECK(Serial::in_order(now, 0xfffe, std::string(14, '\0'))->hex() != first->hex());
  CHECK_FALSE(Serial::in_order(now, 1, std::string(13, 'x')));
  CHECK_FALSE(Serial::in_order(WallTime{}, 1, std::string(14, 'x')));
  CHECK_FALSE(Serial::in_order(parse_rfc3339("2107-01-01T00:00:00Z").value(), 1, std::string(14, 'x')));
  CHECK(*Serial::from_hex("0A") == *Serial::from_hex("0a"));
  for (const std::string& bad : {std::string(), std::string("00"), std::string("000a"), std::string("a"),
                                 std::string("zz"), std::string(42, '1'), std::string(40, 'f')}) {
    CHECK_FALSE(Serial::from_hex(bad));
  }
}

TEST_CASE("an authority's longest certificate is known", "[pki]") {
  Lifetimes lifetimes;
  CHECK(longest_life(CaKind::fabric, lifetimes) == lifetimes.coordinator);
  CHECK(longest_life(CaKind::etcd, lifetimes) == lifetimes.control_plane);
  lifetimes.admin = Seconds(366 * 86400);
  CHECK(longest_life(CaKind::kube_client, lifetimes) == lifetimes.admin);
  CHECK(longest_life(CaKind::kubelet_serving, lifetimes) == lifetimes.serving);
}
