#include "agent/service/artifact_gate.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/store/file_trust_store.hpp"
#include "common/core/text.hpp"
#include "common/crypto/ed25519.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;

namespace {

struct World {
  test::TempDir dir;
  test::IoTest io;
  test::ManualClock clock;
  Workers workers{1};
  AgentState state;
  FileTrustStore store{dir.path()};
  bool in_use = false;
  Ed25519Pair pair = make_ed25519_pair().value();
  std::string key = to_base64(pair.public_key);
  ArtifactRef kubelet{"kubelet", "1.20.2", std::string(64, 'a'), 7, ArtifactFormat::file};

  World() { state.desired.emplace(); }
  std::string manifest(std::uint64_t number, Seconds life = Seconds(3600)) {
    const std::string text =
        proto::manifest_text({number, clock.wall() + life, {}, 1, {{"kubelet", "1.20.2", "file", 7, std::string(64, 'a')}}});
    return proto::add_signature(text, {key, ed25519_sign(pair.seed, text).value()}).value();
  }
  // By a gate that was just made: an agent that was started anew.
  Status ask(const SignerWish& configured = {}) {
    ArtifactGate gate({store, clock, workers, state, [this](const ArtifactRef&) { return in_use; }}, configured);
    return io.run(gate.allow(kubelet));
  }
};

}  // namespace

TEST_CASE("artifact gate: what was pinned and seen outlives the agent") {
  World world;
  CHECK(world.ask());  // nobody asks for signatures
  CHECK_FALSE(std::filesystem::exists(world.dir / "artifact-trust.json"));
  world.state.desired->cluster.artifacts.signers = {world.key};
  CHECK(world.ask().error().code == Errc::denied);
  world.state.desired->artifact_manifest = world.manifest(2);
  CHECK(world.ask());
  // From now on the coordinator may say what it likes.
  const Ed25519Pair thief = make_ed25519_pair().value();
  world.state.desired->cluster.artifacts.signers = {to_base64(thief.public_key)};
  world.state.desired->artifact_manifest.clear();
  CHECK(world.ask());  // by the manifest that is remembered
  world.state.desired->cluster.artifacts.signers.clear();
  world.kubelet.sha256 = std::string(64, 'b');
  const Status changed = world.ask();
  CHECK(changed.error().code == Errc::corrupt);
  world.kubelet.sha256 = std::string(64, 'a');
  world.state.desired->artifact_manifest = world.manifest(1);
  CHECK(world.ask());
  CHECK(world.store.trust().value()->number == 2);
  world.clock.set_wall(world.clock.wall() + Seconds(7200));
  CHECK_THAT(world.ask().error().message, Catch::Contains("ended at") && Catch::Contains("an old one came back"));
  world.in_use = true;
  CHECK(world.ask());
}

TEST_CASE("artifact gate: agent.yaml's signers hold from the first, and damage does not pin anew") {
  World world;
  const SignerWish configured{{world.key}, 1};
  CHECK(world.ask(configured).error().code == Errc::denied);
  world.state.desired->artifact_manifest = world.manifest(1);
  CHECK(world.ask(configured));
  test::put_file(world.dir / "artifact-trust.json", "{");
  CHECK(world.ask(configured).error().code == Errc::corrupt);
}
