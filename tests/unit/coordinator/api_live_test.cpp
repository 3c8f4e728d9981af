// What the API makes of certificates that end while their connection lasts: the whole of it, with time that moves by hand.
#include <catch2/catch.hpp>

#include "common/crypto/random.hpp"
#include "common/http/body_stream.hpp"
#include "coordinator/api/api.hpp"
#include "coordinator/api/principal.hpp"
#include "coordinator/ca/file_ca_keys.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway {
namespace {

using namespace test;

constexpr Seconds k_life{3600};

struct World {
  TempDir dir;
  IoTest io;
  ManualClock clock{k_start};
  MemoryStore store;
  RecordStore records{store};
  Workers workers{1};
  FileSigner signer{test_authority()};
  FileCaKeys ca_keys{dir / "ca", dir / "import", {}, test_authority(), signer};
  Registrar registrar{State(), {io.executor(), workers, records, {}}};
  NodeStatusBoard board{clock};
  Enrollment enrollment{{io.executor(), registrar, board, signer, records, workers, clock, random_bytes, random_uuid}};
  CaRotation cas{{io.executor(), registrar, board, ca_keys, workers, clock, {}}};
  std::unique_ptr<api::Api> api;
  http::Handler handler;

  World() {
    must(demo_init());
    api::ApiDeps deps{io.executor(), registrar, board, enrollment, signer, records, workers, clock, api::BlobStore::open(dir.path()).value(),
                      registrar.state().identity().id, cas, Secret(), random_bytes, {}, {}, {}};
    api = api::Api::make(std::move(deps)).value();
    handler = api->handler();
  }
  void must(const Operation& operation) {
    const auto done = io.run(registrar.submit(operation));
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done);
  }
  // As the TLS layer would have it, once a connection.
  http::Request request(const api::Principal& who, http::Method method, const std::string& path, const std::string& query = "") {
    http::Request made;
    made.method = method;
    made.target = made.path = path;
    made.query = query;
    made.peer.address = IpAddress::v4(0x0a4d0015U);
    made.peer.certificate = std::make_shared<const std::string>("DER");
    made.peer.identity = std::make_shared<const api::KnownPeer>(who);
    return made;
  }
  http::Response ask(const api::Principal& who, const std::string& path, const std::string& query = "") {
    return io.run(handler.handle(request(who, http::Method::get, path, query)));
  }
  api::Principal admin() {
    must(RecordCertificate{{{"a1", CertUsage::operator_admin, "admin", "", 0, k_start, k_start + k_life, fake_hash("c"), fake_hash("k")}, "PEM"}});
    api::Principal who;
    who.kind = api::PrincipalKind::person;
    who.name = "admin";
    who.role = proto::Role::admin;
    who.serial = "a1";
    return who;
  }
};

TEST_CASE("a watch ends when the certificate does that opened it", "[api][watch]") {
  World world;
  const api::Principal admin = world.admin();
  const http::Response watch = world.ask(admin, "/v1/nodes", "watch=true");
  REQUIRE(watch.stream);
  CHECK(world.io.run(watch.stream->next()).value().find("synced") != std::string::npos);
  world.clock.advance(k_life);
  const auto late = world.io.run(watch.stream->next());
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::denied);
}

TEST_CASE("an agent's kept connection is nobody's once its certificate has ended", "[api]") {
  World world;
  world.must(CreateToken{demo_token()});
  const auto join = demo_request("n1", 21, "k1");
  world.must(demo_admit(world.registrar.state(), join, "uid-1", "s1"));
  api::Principal agent;
  agent.kind = api::PrincipalKind::agent;
  agent.name = "n1";
  agent.agent = {"uid-1", 1, fake_serial("s1-agent")};
  CHECK(world.ask(agent, "/v1/agent/sync", "wait=0").status < 300);
  CHECK(world.ask(agent, "/v1/agent/ca-bundles").status != 403);
  world.clock.advance(std::chrono::hours(25));
  CHECK(world.ask(agent, "/v1/agent/sync", "wait=0").status == 403);
  CHECK(world.ask(agent, "/v1/agent/ca-bundles").status == 403);
}

TEST_CASE("a large body is confirmed on the state before it is taken, a small one is not", "[api]") {
  World world;
  const api::Principal admin = world.admin();
  const std::string path = "/v1/blobs/" + std::string(64, 'a');
  const auto good = world.handler.admit(world.request(admin, http::Method::put, path));
  CHECK_FALSE(good.refuse);
  CHECK_FALSE(good.spool_dir.empty());
  REQUIRE(good.confirm);
  CHECK_FALSE(world.io.run(good.confirm()));
  world.must(RevokeOperator{"admin", k_start + Seconds(1)});
  const auto refused = world.io.run(good.confirm());
  REQUIRE(refused);
  CHECK(refused->status == 403);
  CHECK_FALSE(world.handler.admit(world.request(admin, http::Method::get, "/v1/nodes")).confirm);
}

}  // namespace
}  // namespace slipway
