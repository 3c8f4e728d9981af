// Connections that are kept open and idle: nobody asks anything on them, so only being cut ends them when their owner has lost its right.
#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

// Has made one request and keeps the connection.
class IdleConnection {
 public:
  IdleConnection(ClusterFixture& cluster, const std::string& certificate, const PrivateKey& key)
      : identity_{certificate, std::string(key.to_pem()->reveal())}, raw_(cluster.app->port(), &identity_) {
    REQUIRE(raw_.handshake());
    REQUIRE(serves());
  }
  static IdleConnection of(ClusterFixture& cluster, const SimulatedAgent& agent) {
    return IdleConnection(cluster, agent.certificates.at("agent"), agent.keys.at("agent"));
  }
  bool serves() { return raw_.write("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") && raw_.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"); }
  bool sees_end() { return raw_.sees_end(); }

 private:
  TestCert identity_;
  RawTlsClient raw_;
};

struct Viewer {
  std::string certificate;
  PrivateKey key;
};

Viewer viewer(ClusterFixture& cluster, const std::string& name) {
  auto key = PrivateKey::generate_p256();
  const proto::OperatorRequest request{make_csr(*key).value(), name, "viewer"};
  const auto reply = as<proto::OperatorReply>(cluster.admin().post("/v1/operators", proto::encode(request)));
  return {reply.certificate, std::move(*key)};
}

}  // namespace

TEST_CASE("an idle connection of a deleted node is cut, another node's is not", "[cluster][cut]") {
  ClusterFixture cluster;
  cluster.start();
  IdleConnection gone = IdleConnection::of(cluster, joined(cluster, "node-1", 11));
  IdleConnection other = IdleConnection::of(cluster, joined(cluster, "node-2", 12));
  REQUIRE(cluster.admin().remove("/v1/nodes/node-1").status == 204);
  CHECK(gone.sees_end());
  CHECK(other.serves());
}

TEST_CASE("an idle connection of a replaced node is cut", "[cluster][cut]") {
  ClusterFixture cluster;
  cluster.start();
  IdleConnection former = IdleConnection::of(cluster, joined(cluster, "node-1", 11));
  IdleConnection other = IdleConnection::of(cluster, joined(cluster, "node-2", 12));
  REQUIRE(cluster.admin().post("/v1/nodes/node-1/replace", "{}").status == 201);
  CHECK(former.sees_end());
  CHECK(other.serves());
}

TEST_CASE("an idle connection of a revoked operator is cut, another operator's is not", "[access][cut]") {
  ClusterFixture cluster;
  cluster.start();
  const Viewer vera = viewer(cluster, "vera"), victor = viewer(cluster, "victor");
  IdleConnection hers(cluster, vera.certificate, vera.key), his(cluster, victor.certificate, victor.key);
  REQUIRE(cluster.admin().remove("/v1/operators/vera").status == 204);
  CHECK(hers.sees_end());
  CHECK(his.serves());
}

}  // namespace slipway::test
