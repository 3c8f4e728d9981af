// The pure parts of the API and the blob store.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "common/crypto/digest.hpp"
#include "coordinator/api/blob_store.hpp"
#include "coordinator/api/health.hpp"
#include "coordinator/api/metrics.hpp"
#include "coordinator/api/openapi_text.hpp"
#include "coordinator/api/range.hpp"
#include "tests/support/temp_dir.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::api {
namespace {

constexpr WallTime k_now = WallTime(Seconds(1'790'000'000));

TEST_CASE("byte ranges", "[api][range]") {
  struct Row {
    const char* header;
    std::uint64_t size;
    ByteRange expected;
  };
  const ByteRange whole{RangeKind::whole, 0, 100};
  const ByteRange outside{RangeKind::unsatisfiable, 0, 0};
  const Row rows[] = {
      {"bytes=0-9", 100, {RangeKind::part, 0, 10}},
      {"bytes=90-", 100, {RangeKind::part, 90, 10}},
      {"bytes=90-200", 100, {RangeKind::part, 90, 10}},
      {"bytes=-10", 100, {RangeKind::part, 90, 10}},
      {"bytes=-200", 100, {RangeKind::part, 0, 100}},
      {"bytes=0-", 100, {RangeKind::part, 0, 100}},
      {"bytes=100-", 100, outside},
      {"bytes=-0", 100, outside},
      {"bytes=0-0", 0, outside},
      {"bytes=5-4", 100, whole},
      {"bytes=a-b", 100, whole},
      {"bytes=0-1,5-6", 100, whole},
      {"bytes=", 100, whole},
      {"bytes=-", 100, whole},
      {"lines=0-1", 100, whole},
      {"bytes=0-18446744073709551615", 100, {RangeKind::part, 0, 100}},
      {"bytes=18446744073709551616-", 100, whole},
  };
  for (const Row& row : rows) {
    INFO(row.header);
    CHECK(parse_range(row.header, row.size) == row.expected);
  }
}

TEST_CASE("blobs are taken only with the digest they were announced with", "[api][blobs]") {
  const test::TempDir dir;
  const auto store = BlobStore::open(dir.path());
  REQUIRE(store);
  const std::string content = "some program";
  const std::string spooled = store->spool_dir() + "/upload";
  test::put_file(spooled, content);

  const Status wrong = store->take(spooled, sha256_hex("another program"));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Errc::corrupt);
  CHECK(std::filesystem::is_empty(dir.path() + "/artifacts/sha256"));
  CHECK(store->size_of(sha256_hex(content)).error().code == Errc::not_found);

  REQUIRE(store->take(spooled, sha256_hex(content)));
  CHECK(store->size_of(sha256_hex(content)).value() == content.size());
  CHECK(test::get_file(store->path_of(sha256_hex(content))) == content);
  CHECK_FALSE(std::filesystem::exists(spooled));
}

TEST_CASE("a new start empties the spool and keeps the blobs", "[api][blobs]") {
  const test::TempDir dir;
  {
    const auto store = BlobStore::open(dir.path());
    REQUIRE(store);
    test::put_file(store->spool_dir() + "/left", "half of it");
    test::put_file(store->path_of(sha256_hex("x")), "x");
  }
  const auto store = BlobStore::open(dir.path());
  REQUIRE(store);
  CHECK(std::filesystem::is_empty(store->spool_dir()));
  CHECK(store->size_of(sha256_hex("x")));
}

TEST_CASE("digests are 64 lower-case hexadecimal digits", "[api][blobs]") {
  CHECK(is_sha256_hex(sha256_hex("x")));
  CHECK_FALSE(is_sha256_hex(""));
  CHECK_FALSE(is_sha256_hex(std::string(64, 'G')));
  CHECK_FALSE(is_sha256_hex(std::string(64, 'A')));
  CHECK_FALSE(is_sha256_hex("../" + std::string(61, 'a')));
}

proto::NodeView healthy_node(const std::string& name) {
  proto::NodeView node;
  node.name = name;
  node.phase = "Running";
  node.pod_cidr = "10.10.1.0/24";
  node.pod_cidr_published = true;
  node.last_contact = to_rfc3339(k_now - Seconds(30));
  node.conditions = {{"NetworkReady", true, "", ""}};
  node.components = {{"kubelet", "1.20.2", "running", 0, 7, ""},
                     {"cni-plugins", "1.1.1", "installed", 0, 0, ""}};
  return node;
}

proto::PoolView pool_of(std::uint64_t capacity, std::uint64_t available, const std::string& level) {
  proto::PoolView pool;
  pool.name = "default";
  pool.capacity = capacity;
  pool.available = available;
  pool.allocated = capacity - available;
  pool.used_percent = 100.0 * static_cast<double>(capacity - available) / static_cast<double>(capacity);
  pool.level = level;
  return pool;
}

proto::CaView authority(const std::string& kind) {
  proto::CaView view;
  view.kind = kind;
  view.phase = "stable";
  view.signing.number = 1;
  view.signing.not_after = to_rfc3339(k_now + Seconds(3650 * 86400));
  view.changed_at = to_rfc3339(k_now - Seconds(100 * 86400));
  return view;
}

HealthInput healthy() {
  HealthInput input;
  input.nodes = {healthy_node("a"), healthy_node("b")};
  input.certificates = {
      {"a", "agent", "1", to_rfc3339(k_now - Seconds(3600)), to_rfc3339(k_now + Seconds(82800)), ""}};
  input.components = {{"kubelet", "1.20.2", "node", proto::ArtifactRef{}}};
  input.pools = {pool_of(256, 254, "ok")};
  input.certificates.push_back({"coordinator", "coordinatorServing", "2", to_rfc3339(k_now - Seconds(86400)), to_rfc3339(k_now + Seconds(89 * 86400)), ""});
  input.certificates.push_back({"vera", "operatorAdmin", "3", to_rfc3339(k_now - Seconds(86400)), to_rfc3339(k_now + Seconds(29 * 86400)), ""});
  input.kube = {true, "answers", {}};
  input.coordinator = {"", "0.0.0.0:7443", 2, 7};
  input.store.space = {"/var/lib/slipway/coordinator/state.db", 4U << 20U, 50ULL << 30U, true};
  input.store.commit.last = k_now - Seconds(60);
  input.authorities = {{authority("fabric"), Seconds(90 * 86400)}, {authority("etcd"), Seconds(7 * 86400)}};
  input.now = k_now;
  input.started = k_now - Seconds(100'000);
  return input;
}

// The names of the checks that are not well.
std::vector<std::string> failing(const HealthInput& input) {
  const auto report = check_health(input);
  std::vector<std::string> names;
  for (const auto& check : report.checks) {
    if (check.ok) {
      CHECK(check.cure.empty());
      CHECK(check.warning == (check.message.find("warning: ") == 0));
      continue;
    }
    names.push_back(check.name);
    CHECK_FALSE(check.message.empty());
    CHECK_FALSE(check.cure.empty());
  }
  CHECK(report.ok == names.empty());
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("a healthy cluster is ok", "[api][health]") {
  CHECK(failing(healthy()).empty());
}

TEST_CASE("each trouble has its check with a cure", "[api][health]") {
  HealthInput input = healthy();
  SECTION("silent node") {
    input.nodes[1].last_contact = to_rfc3339(k_now - Seconds(3600));
    CHECK(failing(input) == Names{"node b: contact"});
  }
  SECTION("never heard, long after the start") {
    input.nodes[1].last_contact = "";
    CHECK(failing(input) == Names{"node b: contact"});
  }
  SECTION("not heard yet, just started") {
    input.nodes[1].last_contact = "";
    input.nodes[1].components.clear();
    input.started = k_now - Seconds(10);
    CHECK(failing(input).empty());
  }
  SECTION("component down") {
    input.nodes[0].components[0].state = "crash-loop";
    CHECK(failing(input) == Names{"node a: components"});
  }
  SECTION("condition") {
    input.nodes[0].conditions[0].ok = false;
    CHECK(failing(input) == Names{"node a: NetworkReady"});
  }
  SECTION("certificate not renewed") {
    input.certificates[0].not_after = to_rfc3339(k_now + Seconds(60));
    CHECK(failing(input) == Names{"certificate agent of a"});
  }
  SECTION("certificate expired") {
    input.certificates[0].not_after = to_rfc3339(k_now - Seconds(60));
    CHECK(failing(input) == Names{"certificate agent of a"});
  }
  SECTION("pod CIDR not published") {
    input.nodes[0].pod_cidr_published = false;
    CHECK(failing(input) == Names{"node a: pod CIDR"});
  }
  SECTION("pod CIDR conflict") {
    input.kube.conflicts = {"Node a has spec.podCIDR 10.9.0.0/24, its block is 10.10.1.0/24"};
    CHECK(failing(input) == Names{"pod CIDR conflict"});
  }
  SECTION("artifact missing") {
    input.components[0].artifact.reset();
    CHECK(failing(input) == Names{"artifact kubelet 1.20.2"});
  }
  SECTION("pool nearly full") {
    input.pools = {pool_of(10, 0, "critical")};
    CHECK(failing(input) == Names{"pool default"});
  }
  SECTION("pool fuller than four fifths, which is told and no failure") {
    input.pools = {pool_of(10, 1, "warning")};
    input.pools[0].exhausted_at = to_rfc3339(k_now + Seconds(3 * 86400));
    CHECK(failing(input).empty());
    const auto report = check_health(input);
    const auto pool = std::find_if(report.checks.begin(), report.checks.end(), [](const auto& c) { return c.name == "pool default"; });
    REQUIRE(pool != report.checks.end());
    CHECK(pool->message.find("warning: 9 of 10 blocks are taken") == 0);
    CHECK(pool->message.find("full in 3d") != std::string::npos);
    CHECK(pool->message.find("slipwayctl pool grow default") != std::string::npos);
  }
  SECTION("a pool that drains may be full") {
    input.pools = {pool_of(10, 0, "critical")};
    input.pools[0].draining = true;
    CHECK(failing(input).empty());
  }
  SECTION("kube-apiserver away") {
    input.kube = {false, "connecting to 10.77.0.10: refused", {}};
    CHECK(failing(input) == Names{"kube-apiserver"});
  }
}

const proto::HealthCheck& check_of(const proto::HealthReport& report, const std::string& name) {
  const auto found = std::find_if(report.checks.begin(), report.checks.end(), [&](const auto& check) { return check.name == name; });
  REQUIRE(found != report.checks.end());
  return *found;
}

TEST_CASE("administrators are warned before the last of their certificates ends", "[api][health]") {
  HealthInput input = healthy();
  input.certificates.push_back({"victor", "operatorViewer", "4", to_rfc3339(k_now - Seconds(29 * 86400)), to_rfc3339(k_now + Seconds(60)), ""});
  auto report = check_health(input);
  CHECK_FALSE(check_of(report, "administrators").warning);
  CHECK(check_of(report, "administrators").message == "the last administrator's certificate, of vera, ends in 29d");
  proto::CertificateView& vera = input.certificates[2];
  vera.not_before = to_rfc3339(k_now - Seconds(25 * 86400));
  vera.not_after = to_rfc3339(k_now + Seconds(5 * 86400));
  report = check_health(input);
  CHECK(report.ok);
  CHECK(check_of(report, "administrators").warning);
  CHECK(check_of(report, "administrators").message.find("of vera, ends in 5d; an administrator makes a new one until then: slipwayctl operator create vera --role admin") != std::string::npos);
  // Another's is enough.
  input.certificates.push_back({"walter", "operatorAdmin", "5", to_rfc3339(k_now), to_rfc3339(k_now + Seconds(30 * 86400)), ""});
  CHECK_FALSE(check_of(check_health(input), "administrators").warning);
  std::erase_if(input.certificates, [](const auto& certificate) { return certificate.usage == "operatorAdmin"; });
  report = check_health(input);
  CHECK(check_of(report, "administrators").message.find("no administrator's certificate is valid; on the coordinator's host") != std::string::npos);
}

bool has_check(const HealthInput& input, const std::string& name) {
  const auto report = check_health(input);
  return std::any_of(report.checks.begin(), report.checks.end(), [&](const auto& check) { return check.name == name; });
}

// The text of one check, which must be there.
std::string message_of(const HealthInput& input, const std::string& name) {
  const auto report = check_health(input);
  const auto found = std::find_if(report.checks.begin(), report.checks.end(), [&](const auto& check) { return check.name == name; });
  REQUIRE(found != report.checks.end());
  return found->message;
}

TEST_CASE("the coordinator's own troubles have a cure of their own", "[api][health]") {
  HealthInput input = healthy();
  CHECK(message_of(input, "coordinator").find("serving 0.0.0.0:7443 with 7 connections on 2 I/O threads") != std::string::npos);
  CHECK(message_of(input, "store").find("50 GiB") == std::string::npos);
  CHECK(message_of(input, "store").find("51200 MiB are free beside it, last commit 1m ago") != std::string::npos);
  SECTION("clock that went back") {
    input.coordinator.clock_problem = "the coordinator's clock says 1970";
    CHECK(failing(input) == Names{"coordinator"});
  }
  SECTION("store that cannot be asked") {
    input.store.problem = "reading the size of state.db: input/output error";
    CHECK(failing(input) == Names{"store"});
  }
  SECTION("store that cannot be written to") {
    input.store.space.writable = false;
    CHECK(failing(input) == Names{"store"});
  }
  SECTION("commit that does not end") {
    input.store.commit.under_way = Millis(9'000);
    CHECK(failing(input).empty());
    input.store.commit.under_way = Millis(11'000);
    CHECK(failing(input) == Names{"store"});
  }
  SECTION("disk that is nearly full") {
    input.store.space.free = 900U << 20U;
    CHECK(failing(input).empty());
    CHECK(message_of(input, "store").find("warning: ") == 0);
    input.store.space.free = 100U << 20U;
    CHECK(failing(input) == Names{"store"});
  }
  SECTION("serving certificate that is not renewed, or is not there") {
    input.certificates[1].not_after = to_rfc3339(k_now + Seconds(3600));
    CHECK(failing(input) == Names{"coordinator's certificate coordinatorServing"});
    const auto report = check_health(input);
    const auto bad = std::find_if(report.checks.begin(), report.checks.end(), [](const auto& check) { return !check.ok; });
    CHECK(bad->cure.find("systemctl restart slipway-coordinator") != std::string::npos);
    input.certificates.erase(input.certificates.begin() + 1);
    CHECK(failing(input) == Names{"coordinator's certificate coordinatorServing"});
  }
}

TEST_CASE("authorities that end, or whose replacement is stuck, are named with who holds it", "[api][health]") {
  HealthInput input = healthy();
  proto::CaView& fabric = input.authorities[0].view;
  SECTION("two lives of the longest certificate and a month must be left") {
    fabric.signing.not_after = to_rfc3339(k_now + Seconds(211 * 86400));
    CHECK(failing(input).empty());
    fabric.signing.not_after = to_rfc3339(k_now + Seconds(209 * 86400));
    CHECK(failing(input) == Names{"authority fabric"});
    input.authorities[1].view.signing.not_after = to_rfc3339(k_now - Seconds(5));
    CHECK(failing(input) == Names{"authority fabric", "authority etcd"});
    CHECK(message_of(input, "authority etcd").find("ended 5s ago") != std::string::npos);
    fabric.phase = "distributing";  // its successor is on the way
    fabric.changed_at = to_rfc3339(k_now);
    CHECK(failing(input) == Names{"authority etcd"});
    CHECK(message_of(input, "authority fabric").find("warning: ") == 0);
  }
  SECTION("nodes that do not confirm") {
    fabric.phase = "distributing";
    fabric.waiting_for = {"a", "b", "c", "d", "e", "f", "g"};
    fabric.changed_at = to_rfc3339(k_now - Seconds(600));
    CHECK(failing(input).empty());
    fabric.changed_at = to_rfc3339(k_now - Seconds(7200));
    CHECK(failing(input) == Names{"replacement of authority fabric"});
    CHECK(message_of(input, "replacement of authority fabric").find("not confirmed by 7 nodes: a, b, c, d, e and 2 more") != std::string::npos);
  }
  SECTION("what still needs the old one") {
    fabric.phase = "replacing";
    fabric.held_by = {"operator ada"};
    fabric.changed_at = to_rfc3339(k_now - Seconds(7200));
    CHECK(failing(input).empty());
    fabric.changed_at = to_rfc3339(k_now - Seconds(2 * 86400));
    CHECK(failing(input) == Names{"replacement of authority fabric"});
    CHECK(message_of(input, "replacement of authority fabric").find("needed by operator ada") != std::string::npos);
    fabric.held_by.clear();
    fabric.next = "slipwayctl certs rotate-ca fabric --retire";
    CHECK(failing(input).empty());
    CHECK(message_of(input, "replacement of authority fabric").find("warning: replacing since 2d; slipwayctl certs") == 0);
  }
}

TEST_CASE("routes in the way fail, machines that look alike are pointed out", "[api][health]") {
  HealthInput input = healthy();
  CHECK(message_of(input, "host routes") == "2 of 2 nodes keep clear of pods and services");
  input.route_collisions = {{"b", "10.10.0.0/16 of docker0 of node b overlaps 10.10.0.0/16 of pool default"}};
  CHECK(failing(input) == Names{"node b: routes"});
  input.route_collisions.clear();
  input.nodes[0].facts.product_uuid = "4c4c4544-0042-3510-8052-b4c04f4a3732";
  CHECK(failing(input).empty());
  input.nodes[1].facts.product_uuid = input.nodes[0].facts.product_uuid;
  CHECK(failing(input).empty());
  CHECK(message_of(input, "machines").find("warning: nodes a, b have the same product UUID 4c4c4544") == 0);
}

TEST_CASE("nodes that differ in the MTU that they can give pods are pointed out", "[api][health]") {
  HealthInput input = healthy();
  input.nodes[0].facts.pod_mtu = 1450;  // the other is an agent that does not tell yet
  CHECK_FALSE(has_check(input, "pod mtu"));
  input.nodes[1].facts.pod_mtu = 8950;
  CHECK(failing(input).empty());
  CHECK(message_of(input, "pod mtu").find("warning: interfaces of the nodes differ: pods have 1450 everywhere, for nodes a can carry no more; others could up to 8950; ") == 0);
  input.wanted_mtu = 1450;
  CHECK_FALSE(has_check(input, "pod mtu"));
  input.wanted_mtu = 1500;
  CHECK(has_check(input, "pod mtu"));
}

TEST_CASE("a paused rollout is told, with the way out", "[api][health]") {
  HealthInput input = healthy();
  CHECK_FALSE(has_check(input, "rollout"));
  input.rollout_paused = true;
  CHECK(failing(input).empty());
  CHECK(message_of(input, "rollout").find("warning: is paused: no node begins with new settings or versions; slipwayctl upgrade resume") == 0);
}

TEST_CASE("metrics have the documented names and escaped labels", "[api][metrics]") {
  MetricsInput input;
  input.nodes = {healthy_node("a")};
  input.nodes[0].phase = "Run\"ning\\\n";
  input.certificates = {{"a", "agent", "1", "", to_rfc3339(k_now + Seconds(100)), ""},
                        {"a", "agent", "2", "", to_rfc3339(k_now), ""}};
  input.pools = {pool_of(4, 2, "ok")};
  input.pools[0].exhausted_at = to_rfc3339(k_now);
  input.join_requests = {{{"accepted", ""}, 3}, {{"refused", "denied"}, 2}};
  input.free_blocks["default"] = {{22, 0}, {24, 2}};
  input.pools[0].largest_free = 24;
  input.allocations.add(std::chrono::microseconds(50));
  input.allocations.add(std::chrono::microseconds(5'000));
  input.rejected_overlaps = 3;
  input.duplicate_claims = 1;
  input.now = k_now;
  const std::string text = render_metrics(input);
  for (const char* line : {"slipway_build_info{version=", "slipway_nodes{phase=\"Run\\\"ning\\\\\\n\"} 1\n",
                           "slipway_join_requests_total{result=\"accepted\",reason=\"\"} 3\n",
                           "slipway_join_requests_total{result=\"refused\",reason=\"denied\"} 2\n",
                           "slipway_cidr_pool_max_cidrs{pool=\"default\"} 4\n",
                           "slipway_cidr_pool_usage_ratio{pool=\"default\"} 0.500000\n",
                           "slipway_cidr_pool_exhaustion_timestamp_seconds{pool=\"default\"} ",
                           "slipway_cidr_pool_free_blocks{pool=\"default\",prefix_length=\"24\"} 2\n",
                           "slipway_cidr_pool_largest_free_prefix_length{pool=\"default\"} 24\n",
                           "# TYPE slipway_cidr_allocation_duration_seconds histogram\n",
                           "slipway_cidr_allocation_duration_seconds_bucket{le=\"0.0001\"} 1\n",
                           "slipway_cidr_allocation_duration_seconds_bucket{le=\"+Inf\"} 2\n",
                           "slipway_cidr_allocation_duration_seconds_sum 0.00505\n",
                           "slipway_cidr_allocation_duration_seconds_count 2\n",
                           "slipway_cidr_rejected_overlaps_total 3\n",
                           "slipway_cidr_duplicate_claims 1\n",
                           "slipway_certificate_expiration_seconds{node=\"a\",usage=\"agent\"} 100\n",
                           "slipway_component_up{node=\"a\",component=\"kubelet\"} 1\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(text.find("} 0\nslipway_certificate_expiration") ==
        std::string::npos);  // one sample for each set of labels
  CHECK(text.back() == '\n');
}

TEST_CASE("the contract is compiled in as it stands in the tree", "[api][openapi]") {
  CHECK(openapi_text() == test::get_file(std::string(SLIPWAY_SOURCE_DIR) + "/proto/openapi.json"));
}

}  // namespace
}  // namespace slipway::api
