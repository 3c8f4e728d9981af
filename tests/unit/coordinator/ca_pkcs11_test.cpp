// An authority whose key cannot leave its token: SoftHSM2 through OpenSSL's engine.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "tests/support/soft_token.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway {
namespace {

using namespace test;
using Catch::Matchers::Contains;

TEST_CASE("certificates are signed by a key that never leaves its token", "[ca][pkcs11]") {
  if (!has_token_tools()) FAIL("softhsm2, opensc or libengine-pkcs11-openssl is missing: sudo apt-get install them (packaging/build-deps.txt)");
  static SoftToken token;  // the module reads its configuration once a process
  const TempDir own;
  token.put_uri("&pin-value=87654321");
  const WallTime now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  const auto authority = Authority::create_from(token.dir.path(), nullptr, test_cluster(), Lifetimes{}, now);
  REQUIRE((authority ? "" : authority.error().message) == std::string());
  CHECK_FALSE(authority->ca(CaKind::fabric).key.to_pem());  // not extractable
  const std::string saved = own / "saved";
  REQUIRE(authority->save(saved, {}));
  CHECK_FALSE(std::filesystem::exists(saved + "/fabric-ca.key"));
  const auto loaded = Authority::load(saved);
  REQUIRE((loaded ? "" : loaded.error().message) == std::string());
  FileSigner signer(*loaded);
  // As the I/O threads do: several at once.
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const auto spec = profile(CertUsage::agent, test_input());
        const auto key = PrivateKey::generate_p256();
        const auto serial = Serial::from_random(std::string(15, static_cast<char>('a' + t)) + static_cast<char>('a' + i));
        const auto issued = signer.issue(*spec, key->spki_der(), *serial, now, now + Seconds(3600));
        if (issued && openssl_verify(issued->der, loaded->ca(CaKind::fabric).pem, {false, "", "", now}) == 0) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 40);

  SECTION("without the object there is a reason") {
    put_file(saved + "/fabric-ca.uri", "pkcs11:token=slipway;object=nothing;type=private?module-path=" + std::string(k_softhsm) + "&pin-value=87654321");
    const auto refused = Authority::load(saved);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("fabric-ca.uri") && Contains("token") && !Contains("87654321"));
  }
  SECTION("a URI that others can read is refused") {
    REQUIRE(::chmod((saved + "/fabric-ca.uri").c_str(), 0644) == 0);
    CHECK_THAT(Authority::load(saved).error().message, Contains("chmod"));
  }
  SECTION("something else than a URI of PKCS#11") {
    put_file(saved + "/fabric-ca.uri", "file:/etc/passwd");
    CHECK_THAT(Authority::load(saved).error().message, Contains("starts with pkcs11:"));
  }
}

}  // namespace
}  // namespace slipway
