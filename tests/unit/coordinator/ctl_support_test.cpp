// `slipwayctl support` against a coordinator that is a table of answers.
#include "common/archive/unpack.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

using test::TempDir;

void answer_all(FakeConnection& connection) {
  connection.on("GET /version", 200, proto::encode(proto::VersionInfo{"0.1", "v1"}));
  connection.on("GET /v1/health", 200, proto::encode(proto::HealthReport{true, {}}));
  proto::ClusterView cluster;
  cluster.spec.metadata.name = "demo";
  cluster.spec.kubelet.config.text = R"({"registryPassword": "hunter2"})";
  connection.on("GET /v1/cluster", 200, proto::encode(cluster));
  connection.on("GET /v1/cas", 200, proto::encode(proto::CaList{}));
  for (const char* list : {"pools", "tokens", "pending", "joins", "artifacts", "certificates"}) {
    connection.on("GET /v1/" + std::string(list) + "?limit=1000", 200, R"({"items": [], "next": ""})");
  }
  connection.on("GET /v1/operators?limit=1000", 403, problem(Errc::denied, "this is for admins"));
  connection.on("GET /v1/audit?limit=1000", 200, R"({"items": [], "next": ""})");
  connection.on("GET /metrics", 200, "slipway_build_info 1\n");
  proto::NodeList first, second;
  first.items = {node("n1")};
  first.next = "n1";
  second.items = {node("n2")};
  connection.on("GET /v1/nodes?limit=1000", 200, proto::encode(first));
  connection.on("GET /v1/nodes?limit=1000&continue=n1", 200, proto::encode(second));
}

TEST_CASE("support makes an archive of what may be seen, without what looks like a secret",
          "[ctl][support]") {
  FakeConnection connection;
  answer_all(connection);
  TempDir dir;
  const Run made = run(connection, Support{dir / "a.tar.gz"});
  INFO(made.err);
  REQUIRE(made.code == k_ok);
  CHECK(made.out.find("a.tar.gz") != std::string::npos);
  CHECK((std::filesystem::status(dir / "a.tar.gz").permissions() & std::filesystem::perms(0777)) ==
        std::filesystem::perms(0600));
  REQUIRE(unpack(dir / "a.tar.gz", dir / "fresh"));
  const std::string nodes = test::get_file(dir / "fresh/nodes.json");
  CHECK(nodes.find("\"n1\"") != std::string::npos);
  CHECK(nodes.find("\"n2\"") != std::string::npos);
  const std::string cluster = test::get_file(dir / "fresh/cluster.json");
  CHECK(cluster.find("demo") != std::string::npos);
  CHECK(cluster.find("hunter2") == std::string::npos);
  CHECK(test::get_file(dir / "fresh/metrics.txt") == "slipway_build_info 1\n");
  const std::string manifest = test::get_file(dir / "fresh/MANIFEST.txt");
  CHECK(manifest.find("operators.json: left out") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir / "fresh/operators.json"));
}

TEST_CASE("support overwrites nothing, and leaves nothing when nobody answers", "[ctl][support]") {
  FakeConnection connection;
  TempDir dir;
  test::put_file(dir / "a.tar.gz", "precious");
  CHECK(run(connection, Support{dir / "a.tar.gz"}).code == k_failed);
  CHECK(test::get_file(dir / "a.tar.gz") == "precious");
  connection.on("GET /v1/health", 503, problem(Errc::unavailable, "the store is away"));
  CHECK(run(connection, Support{dir / "b.tar.gz"}).code == k_failed);
  CHECK_FALSE(std::filesystem::exists(dir / "b.tar.gz"));
}

}  // namespace
}  // namespace slipway::ctl
