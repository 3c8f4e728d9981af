// The signer's side: what it refuses, whoever asks. The coordinator's side is held against the port in
// tests/contract/signer_contract.cpp.
#include "coordinator/signer/server.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "coordinator/ca/ca_files.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway::signer {
namespace {

using namespace test;
using Catch::Matchers::Contains;

struct World {
  TempDir dir;
  ManualClock clock;
  std::vector<bool> confined;
  Status confining;
  std::vector<std::string> refused;
  SignerServer server{{clock,
                       [this](bool tokens) {
                         confined.push_back(tokens);
                         return confining;
                       },
                       [this](const Error& error) { refused.push_back(error.message); }}};
  WallTime floor{};

  World() {
    REQUIRE(test_authority().save(dir / "ca", {}));
    std::filesystem::create_directory(dir / "import");
    clock.set_wall(k_now);
  }
  std::string open() {
    const Open wish{dir / "ca", dir / "import", "", "", {}, {test_cluster(), {}}, floor};
    const auto opened = decode_opened(server.answer(encode_open(wish)));
    return opened ? std::string() : opened.error().message;
  }
  Result<std::vector<IssuedCert>> issue(const std::vector<CertSpec>& specs, Seconds longer = Seconds(0)) {
    std::vector<IssueRequest> wanted;
    for (const CertSpec& spec : specs) {
      const Validity life = validity_of(spec.validity, {}, k_now);
      wanted.push_back({spec, key.spki_der(),
                        Serial::from_random(std::string(15, 'a') + static_cast<char>(++count)).value(),
                        life.not_before, life.not_after + longer});
    }
    return decode_issued(server.answer(encode_issue(wanted)));
  }
  std::string refusal(const CertSpec& spec, Seconds longer = Seconds(0)) {
    const auto issued = issue({spec}, longer);
    return issued ? std::string() : issued.error().message;
  }
  PrivateKey key = PrivateKey::generate_p256().value();
  int count = 0;
};

CertSpec spec_of(CertUsage usage) {
  return profile(usage, test_input()).value();
}

TEST_CASE("nothing is signed before the keys are opened, and they are opened once", "[signer][server]") {
  World world;
  CHECK_THAT(world.refusal(spec_of(CertUsage::agent)), Contains("no keys yet"));
  CHECK(world.open() == "");
  CHECK(world.confined == std::vector<bool>{false});
  CHECK(world.refusal(spec_of(CertUsage::agent)) == "");
  CHECK_THAT(world.open(), Contains("already"));
}

TEST_CASE("no key is opened when the process cannot be confined", "[signer][server]") {
  World world;
  world.confining = make_error(Errc::internal, "no filter");
  CHECK_THAT(world.open(), Contains("confining the signer: no filter"));
  CHECK_THAT(world.refusal(spec_of(CertUsage::agent)), Contains("no keys yet"));
}

TEST_CASE("a key that is in a token widens the filter", "[signer][server]") {
  World world;
  SECTION("one that is imported later") {
    put_file(world.dir / "import/fabric-ca.uri", "pkcs11:");
  }
  CHECK(world.open() == "");
  CHECK(world.confined == std::vector<bool>{std::filesystem::exists(world.dir / "import/fabric-ca.uri")});
}

TEST_CASE("whatever bytes come, there is an answer", "[signer][server]") {
  World world;
  for (int round = 0; round < 2; ++round) {
    for (int op = 0; op < 256; ++op) {
      const auto answer = decode_done(world.server.answer(std::string(1, static_cast<char>(op)) + "rubbish"));
      CHECK_FALSE(answer);
      CHECK(answer.error().code != Errc::corrupt);
    }
    CHECK_FALSE(decode_done(world.server.answer("")));
    if (round == 0) REQUIRE(world.open() == "");
  }
}

TEST_CASE("the signer refuses system:masters itself", "[signer][server]") {
  World world;
  REQUIRE(world.open() == "");
  for (const CertUsage usage : k_cert_usages) {
    if (usage == CertUsage::coordinator_bootstrap || usage == CertUsage::coordinator_serving) continue;
    INFO(to_string(usage));
    CHECK(world.refusal(spec_of(usage)) == "");
    CertSpec spec = spec_of(usage);
    spec.organization = "system:masters";
    const auto refused = world.issue({spec});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::denied);
    CHECK_THAT(refused.error().message, Contains("the signer refuses"));
  }
  // But for the coordinator's own, for minutes.
  CertSpec own = spec_of(CertUsage::coordinator_bootstrap);
  CHECK(world.refusal(own) == "");
  CHECK_THAT(world.refusal(own, Seconds(300)), Contains("longer than the settings"));
  own.common_name = "alice";
  CHECK_THAT(world.refusal(own), Contains("the signer refuses"));
  REQUIRE_FALSE(world.refused.empty());  // and tells of it
  CHECK_THAT(world.refused.back(), Contains("alice"));
}

TEST_CASE("one that is refused keeps back all that were asked for with it", "[signer][server]") {
  World world;
  REQUIRE(world.open() == "");
  CertSpec bad = spec_of(CertUsage::kubelet_client);
  bad.organization = "system:masters";
  CHECK_FALSE(world.issue({spec_of(CertUsage::agent), bad}));
  CHECK(world.issue({spec_of(CertUsage::agent), spec_of(CertUsage::kubelet_client)})->size() == 2);
}

TEST_CASE("the key of an authority in use is not deleted", "[signer][server]") {
  World world;
  REQUIRE(world.open() == "");
  CHECK(decode_done(world.server.answer(encode_wish(Op::destroy_key, {CaKind::etcd, 1}))).error().code ==
        Errc::denied);
  CHECK(std::filesystem::exists(ca_file(world.dir / "ca", CaKind::etcd, 1, "key")));
  const auto made = decode_ca(world.server.answer(encode_wish(Op::make, {CaKind::etcd, 1})));
  REQUIRE(made);
  CHECK(decode_done(world.server.answer(encode_wish(Op::destroy_key, {CaKind::etcd, 2}))));
  CHECK_FALSE(std::filesystem::exists(ca_file(world.dir / "ca", CaKind::etcd, 2, "key")));
}

TEST_CASE("lives are held against the settings that the signer has", "[signer][server]") {
  World world;
  REQUIRE(world.open() == "");
  CHECK_THAT(world.refusal(spec_of(CertUsage::agent), Seconds(86400)), Contains("longer than the settings"));
  SigningRules longer{test_cluster(), {}};
  longer.lifetimes.node = Seconds(3 * 86400);
  CHECK(decode_done(world.server.answer(encode_follow(longer))));
  CHECK(world.refusal(spec_of(CertUsage::agent), Seconds(86400)) == "");
  longer.lifetimes.admin = Seconds(86400);
  CHECK(decode_done(world.server.answer(encode_follow(longer))).error().code == Errc::denied);
  CHECK_THAT(world.refusal(spec_of(CertUsage::kubeconfig_admin), Seconds(3600)),
             Contains("longer than the settings"));
}

TEST_CASE("nothing is signed by a clock that went back, whatever the coordinator's says",
          "[signer][server]") {
  World world;
  world.floor = k_now;
  REQUIRE(world.open() == "");
  CHECK(world.refusal(spec_of(CertUsage::agent)) == "");
  world.clock.set_wall(k_now - Seconds(60));
  CHECK_THAT(world.refusal(spec_of(CertUsage::agent)), Contains("clock"));
  const CrlSpec list{CaKind::fabric, 1, k_now, k_now + Seconds(60), {}, 0};
  CHECK_THAT(decode_bytes(world.server.answer(encode_crl(list))).error().message, Contains("clock"));
}

}  // namespace
}  // namespace slipway::signer
