#include "coordinator/init.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "common/config/yaml_to_json.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/config.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "proto/codec.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

constexpr WallTime k_now = WallTime(Seconds(2'000'000'000));  // no earlier than any build

const std::string k_yaml = R"(
metadata: {name: demo}
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10]}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

struct Fixture {
  test::TempDir dir;
  InitOptions options;
  explicit Fixture(const std::string& yaml = k_yaml) {
    test::put_file(dir / "cluster.yaml", yaml);
    options.config = dir / "cluster.yaml";
    options.data_dir = dir / "lib/coordinator";
    options.admin_conf = dir / "etc/admin.conf";
    options.master_token_file = dir / "etc/master.token";
  }
  // Everything in the folder but cluster.yaml.
  std::size_t left() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
      count += entry.is_regular_file() && entry.path().filename() != "cluster.yaml";
    }
    return count;
  }
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

TEST_CASE("init makes a cluster with its credentials", "[init]") {
  Fixture f;
  const auto text = init_cluster(f.options, k_now);
  REQUIRE((text ? "" : text.error().message) == std::string());
  CHECK(text->find("256 nodes") != std::string::npos);
  CHECK(mode_of(f.options.data_dir) == 0700);
  CHECK(mode_of(f.options.admin_conf) == 0600);
  CHECK(mode_of(f.options.master_token_file) == 0600);

  const auto authority = Authority::load(ca_dir(f.options.data_dir));
  REQUIRE(authority);
  const std::string pin = authority->ca(CaKind::fabric).certificate.sha256_hex();
  CHECK(text->find(pin) != std::string::npos);
  CHECK(test::get_file(f.options.master_token_file).starts_with("slipway1" + pin + "::"));

  const auto json = yaml_to_json(test::get_file(f.options.admin_conf), "admin.conf");
  REQUIRE(json);
  const auto config = proto::decode_strict<proto::AdminConfig>(*json);
  REQUIRE(config);
  CHECK(config->current == "demo");
  CHECK(config->clusters.at(0).server == "https://10.77.0.10:7443");
  const auto certificate = Certificate::from_pem(config->clusters.at(0).client_certificate);
  REQUIRE(certificate);
  CHECK(certificate->organizations() == std::vector<std::string>{"slipway:admin"});
  CHECK(certificate->verify_issued_by(authority->ca(CaKind::fabric).certificate));

  const auto sqlite = SqliteStore::open(state_file(f.options.data_dir), false);
  REQUIRE(sqlite);
  RecordStore store(**sqlite);
  const auto state = store.load();
  REQUIRE(state);
  CHECK(state->has_cluster());
  CHECK(state->tokens().size() == 1);
  CHECK(state->tokens().begin()->second.role == NodeRole::master);
  CHECK(state->certificate(certificate->serial_hex()));
}

TEST_CASE("a second init on a living cluster is refused and changes nothing", "[init]") {
  Fixture f;
  REQUIRE(init_cluster(f.options, k_now));
  const std::string conf = test::get_file(f.options.admin_conf);
  const std::size_t files = f.left();
  const auto again = init_cluster(f.options, k_now);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(test::get_file(f.options.admin_conf) == conf);
  CHECK(f.left() == files);
}

TEST_CASE("one admin.conf holds several clusters of different names", "[init]") {
  Fixture f;
  REQUIRE(init_cluster(f.options, k_now));
  f.options.data_dir = f.dir / "lib/second";
  const auto same = init_cluster(f.options, k_now);
  REQUIRE_FALSE(same);
  CHECK(same.error().message.find("demo already") != std::string::npos);
  std::string other = k_yaml;
  other.replace(other.find("name: demo"), 10, "name: two");
  test::put_file(f.options.config, other);
  REQUIRE(init_cluster(f.options, k_now));
  const auto json = yaml_to_json(test::get_file(f.options.admin_conf), "admin.conf");
  const auto config = proto::decode_strict<proto::AdminConfig>(*json);
  REQUIRE(config);
  CHECK(config->clusters.size() == 2);
  CHECK(config->current == "two");
}

TEST_CASE("bad settings are refused with all reasons and nothing is left", "[init]") {
  struct Row {
    std::string from, to;
    std::vector<std::string> named;
  };
  const std::vector<Row> rows = {
      {"https://10.77.0.10:6443", "http://10.77.0.10:6443", {"/apiServer/endpoint", "https"}},
      {"network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16}",
       "network: {podCIDR: 10.0.0.0/16, serviceCIDR: 10.0.0.0/16}",
       {"podCIDR", "serviceCIDR"}},
      {"versions:", "runtime: rkt\nversions:", {"rkt", "containerd"}},
      {"name: demo", "name: Demo_1", {"/metadata/name"}},
      {"name: demo", "nam: demo", {"/metadata/name is missing"}},
      {"versions:", "pools: []\nversions:", {"/pools is not a field"}},
      {"versions: {", "versions: [", {"cluster.yaml"}},
  };
  for (const Row& row : rows) {
    std::string yaml = k_yaml;
    yaml.replace(yaml.find(row.from), row.from.size(), row.to);
    Fixture f(yaml);
    const auto made = init_cluster(f.options, k_now);
    INFO(row.to);
    REQUIRE_FALSE(made);
    INFO(made.error().message);
    CHECK(made.error().code == Errc::invalid);
    for (const std::string& named : row.named) CHECK(made.error().message.find(named) != std::string::npos);
    CHECK(f.left() == 0);
  }
}

TEST_CASE("when a credential cannot be written there is no cluster", "[init]") {
  Fixture f;
  test::put_file(f.dir / "file", "");
  f.options.master_token_file = f.dir / "file/master.token";
  CHECK_FALSE(init_cluster(f.options, k_now));
  CHECK_FALSE(std::filesystem::exists(f.options.data_dir));
  CHECK(f.left() == 1);  // the file in the way
}

TEST_CASE("a data directory with something else in it is left alone", "[init]") {
  Fixture f;
  std::filesystem::create_directories(f.options.data_dir);
  test::put_file(f.options.data_dir + "/precious", "data");
  const auto made = init_cluster(f.options, k_now);
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("precious") != std::string::npos);
  CHECK(f.left() == 1);
  std::filesystem::remove(f.options.data_dir + "/precious");
  CHECK(init_cluster(f.options, k_now));  // empty, as a package leaves it
}

TEST_CASE("admin-conf makes the operator's credential anew", "[init]") {
  Fixture f;
  REQUIRE(init_cluster(f.options, k_now));
  const std::string before = test::get_file(f.options.admin_conf);
  AdminConfOptions options{f.options.data_dir, f.options.admin_conf, "bob"};
  const auto text = renew_admin_conf(options, k_now + Seconds(3600));
  REQUIRE((text ? "" : text.error().message) == std::string());
  const auto json = yaml_to_json(test::get_file(f.options.admin_conf), "admin.conf");
  const auto config = proto::decode_strict<proto::AdminConfig>(*json);
  REQUIRE(config);
  REQUIRE(config->clusters.size() == 1);
  CHECK(Certificate::from_pem(config->clusters[0].client_certificate)->common_name() == "bob");
  CHECK(test::get_file(f.options.admin_conf) != before);
}

TEST_CASE("a clock that is behind signs neither a cluster nor a credential", "[init][clock]") {
  Fixture f;
  const auto old = init_cluster(f.options, WallTime(Seconds(1'000'000'000)));
  REQUIRE_FALSE(old);
  CHECK(old.error().message.find("the clock says 2001-09-09T01:46:40Z, but this program was built") == 0);
  REQUIRE(init_cluster(f.options, k_now));
  const AdminConfOptions options{f.options.data_dir, f.options.admin_conf, "bob"};
  const auto behind = renew_admin_conf(options, k_now - Seconds(301));
  REQUIRE_FALSE(behind);
  CHECK(behind.error().message.find(to_rfc3339(k_now - Seconds(300))) != std::string::npos);
  CHECK(renew_admin_conf(options, k_now - Seconds(300)));
}

TEST_CASE("the daemon's settings", "[init][config]") {
  const test::TempDir dir;
  const auto absent = load_coordinator_config(dir / "none.yaml");
  REQUIRE(absent);
  CHECK(absent->listen == "0.0.0.0:7443");
  test::put_file(dir / "c.yaml", "listen: '[::]:7443'\nioThreads: 3\n");
  CHECK(load_coordinator_config(dir / "c.yaml")->io_threads == 3);
  CHECK(quarantine_min_age(*absent) == Seconds(600));
  test::put_file(dir / "c.yaml", "quarantineMinAge: 0s\n");
  CHECK(quarantine_min_age(*load_coordinator_config(dir / "c.yaml")) == Seconds(0));
  test::put_file(dir / "c.yaml", "limits: {connections: 30000, knownConnections: 20000}\n");
  const auto raised = load_coordinator_config(dir / "c.yaml");
  REQUIRE(raised);
  CHECK(server_limits(raised->limits).connections == 30'000);
  CHECK(server_limits(raised->limits).known_connections == 20'000);
  CHECK(server_limits(raised->limits).connections_per_address == http::ServerLimits().connections_per_address);
  for (const char* bad :
       {"listne: x\n", "ioThreads: 1000\n", "dataDir: relative\n", "ioThreads: [\n", "quarantineMinAge: soon\n", "quarantineMinAge: ''\n",
        "quarantineMinAge: 60d\n", "limits: {connections: 0}\n", "limits: {connections: 1000001}\n",
        "limits: {connections: 10, knownConnections: 10}\n", "limits: {anonymousConnections: 0}\n", "limits: {connectionsPerAddress: 0}\n",
        "limits: {sockets: 1}\n"}) {
    INFO(bad);
    test::put_file(dir / "c.yaml", bad);
    CHECK(load_coordinator_config(dir / "c.yaml").error().code == Errc::invalid);
  }
}

}  // namespace
}  // namespace slipway
