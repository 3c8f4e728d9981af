// The signed list of what agents may install, and the end of artifacts, over real TLS.
#include "proto/artifact_manifest.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/core/text.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/ed25519.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

struct Signer {
  Ed25519Pair pair = make_ed25519_pair().value();
  std::string key = to_base64(pair.public_key);
  std::string upload(std::uint64_t number, const std::string& expires = "2046-01-01T00:00:00Z") const {
    const std::string text = proto::manifest_text({number, parse_rfc3339(expires).value(), {}, 1, {{"kubelet", "1.20.2", "file", 5, std::string(64, 'a')}}});
    return proto::encode(proto::ManifestUpload{proto::add_signature(text, {key, ed25519_sign(pair.seed, text).value()}).value()});
  }
};

}  // namespace

TEST_CASE("a manifest is taken when enough of the cluster's signers have signed it", "[cluster][artifacts]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const Signer mine, other;
  const std::string route = "/v1/artifact-manifest";
  CHECK(admin.get(route).status == 404);
  CHECK(admin.put(route, mine.upload(1)).status == 409);  // nobody's word is asked for yet
  auto spec = as<proto::ClusterView>(admin.get("/v1/cluster")).spec;
  spec.artifacts.signers = {mine.key};
  spec.artifacts.threshold = 2;
  CHECK(admin.put("/v1/cluster", proto::encode(spec)).status == 400);  // cannot be met
  spec.artifacts.threshold = 1;
  REQUIRE(admin.put("/v1/cluster", proto::encode(spec)).status == 200);

  CHECK(admin.put(route, other.upload(1)).status == 400);
  CHECK(admin.put(route, mine.upload(1, "2020-01-01T00:00:00Z")).status == 400);
  const auto taken = admin.put(route, mine.upload(5));
  REQUIRE(taken.status == 200);
  CHECK(as<proto::ManifestView>(taken).signed_by == std::vector{mine.key});
  CHECK(admin.put(route, mine.upload(5)).status == 200);
  CHECK(as<proto::Problem>(admin.put(route, mine.upload(4))).status == 409);
  CHECK(as<proto::ManifestView>(admin.get(route)).number == 5);

  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const std::string offered = as<proto::DesiredState>(caller.get("/v1/agent/sync")).artifact_manifest;
  CHECK(offered == as<proto::ManifestView>(admin.get(route)).text);
  // It outlives the coordinator's process.
  cluster.stop();
  cluster.start();
  CHECK(as<proto::ManifestView>(cluster.admin().get(route)).number == 5);
}

TEST_CASE("artifacts are forgotten and their content is collected", "[cluster][artifacts]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const auto import = [&](const std::string& version, const std::string& text) {
    const std::string sha = sha256_hex(text);
    REQUIRE(admin.put("/v1/blobs/" + sha, text).status == 201);
    REQUIRE(admin.post("/v1/artifacts", proto::encode(proto::Artifact{"kubelet", version, "file", sha, text.size(), ""})).status == 201);
    return sha;
  };
  const std::string wanted = as<proto::ClusterView>(admin.get("/v1/cluster")).spec.versions.kubernetes;
  import(wanted, "wanted");
  const std::string old = import("1.2.3", "old");
  CHECK(admin.remove("/v1/artifacts/kubelet/" + wanted).status == 409);
  CHECK(admin.remove("/v1/artifacts/kubelet/9.9.9").status == 404);
  CHECK(admin.remove("/v1/artifacts/kubelet/1.2.3").status == 204);
  const auto collect = [&admin](const std::string& body) { return as<proto::CollectReply>(admin.post("/v1/artifacts/collect", body)); };
  CHECK(collect("{}").removed.empty());  // too young
  const std::string file = cluster.dir / ("data/artifacts/sha256/" + old);
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  CHECK(collect(R"({"dryRun": true})").removed.size() == 1);
  CHECK(std::filesystem::exists(file));
  CHECK(collect("{}").bytes == 3);
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(collect("{}").removed.empty());
}

}  // namespace slipway::test
