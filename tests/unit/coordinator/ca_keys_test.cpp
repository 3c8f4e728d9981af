// CA keys at rest: encrypted or plain, converted, and what is refused.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/convert_keys.hpp"
#include "coordinator/ca/file_ca_keys.hpp"
#include "coordinator/ca/ca_passphrase.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway {
namespace {

using namespace test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

const Secret& good() {
  static const Secret secret(std::string("correct horse battery staple"));
  return secret;
}
const Secret& wrong() {
  static const Secret secret(std::string("something else entirely"));
  return secret;
}

std::string loading(const std::string& dir, const Secret* passphrase) {
  const auto loaded = Authority::load(dir, {passphrase, {}});
  return loaded ? "loaded" : loaded.error().message;
}

std::size_t count_with(const std::string& dir, const std::string& text) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(dir)) count += get_file(entry.path().string()).find(text) != std::string::npos;
  return count;
}

constexpr const char* k_encrypted = "BEGIN ENCRYPTED PRIVATE KEY";
constexpr const char* k_plain = "BEGIN PRIVATE KEY";

TEST_CASE("keys are encrypted when there is a passphrase, all seven", "[ca][keys]") {
  const TempDir temp;
  const std::string dir = temp / "ca";
  REQUIRE(test_authority().save(dir, {}, &good()));
  CHECK(count_with(dir, k_encrypted) == 7);
  CHECK(count_with(dir, k_plain) == 0);
  CHECK(loading(dir, &good()) == "loaded");
  CHECK_THAT(loading(dir, nullptr), Contains("fabric-ca.key is encrypted") && Contains("LoadCredential") && Contains("caPassphraseFile"));
  CHECK_THAT(loading(dir, &wrong()), Contains("the passphrase does not open it"));
  CHECK_THAT(get_file(dir + "/etcd-ca.key"), !Contains("correct horse"));
  // What another program says it is: PBES2 with scrypt and AES-256.
  const std::string command = "openssl asn1parse -in " + dir + "/etcd-ca.key > " + (temp / "dump") + " 2>&1";
  REQUIRE(std::system(command.c_str()) == 0);
  CHECK_THAT(get_file(temp / "dump"), Contains("PBES2") && Contains("scrypt") && Contains("aes-256-cbc"));
}

TEST_CASE("a plain set loads with a passphrase at hand, and keys of openssl's own making too", "[ca][keys]") {
  const TempDir temp;
  const std::string dir = temp / "ca";
  REQUIRE(test_authority().save(dir, {}));
  CHECK(loading(dir, &good()) == "loaded");
  put_file(temp / "pass", std::string(good().reveal()));
  const std::string key = dir + "/etcd-ca.key";
  const std::string command = "openssl pkcs8 -topk8 -in " + key + " -out " + (temp / "k") + " -passout file:" + (temp / "pass") + " -v2 aes-256-cbc";
  REQUIRE(std::system(command.c_str()) == 0);
  fs::copy_file(temp / "k", key, fs::copy_options::overwrite_existing);
  REQUIRE(::chmod(key.c_str(), 0600) == 0);
  CHECK(loading(dir, &good()) == "loaded");
}

TEST_CASE("a set is encrypted, re-encrypted and decrypted in place", "[ca][keys]") {
  const TempDir temp;
  const std::string dir = temp / "ca";
  REQUIRE(test_authority().save(dir, {}));
  CHECK(convert_keys(dir, {{}, &good()}).value() == 7);
  CHECK(count_with(dir, k_plain) == 0);
  CHECK(loading(dir, &good()) == "loaded");
  CHECK(convert_keys(dir, {{&good()}, &wrong()}).value() == 7);
  CHECK(loading(dir, &wrong()) == "loaded");
  CHECK_THAT(loading(dir, &good()), Contains("does not open"));
  // A wrong passphrase changes nothing.
  const std::string before = get_file(dir + "/fabric-ca.key");
  const auto refused = convert_keys(dir, {{&good()}, nullptr});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  CHECK(get_file(dir + "/fabric-ca.key") == before);
  CHECK(convert_keys(dir, {{&wrong()}, nullptr}).value() == 7);
  CHECK(loading(dir, nullptr) == "loaded");
  struct stat info {};
  REQUIRE(::stat((dir + "/fabric-ca.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("a conversion that was killed halfway is ended by the same command", "[ca][keys]") {
  const TempDir temp;
  const std::string dir = temp / "ca";
  REQUIRE(test_authority().save(dir, {}, &good()));
  // Three of seven were written when it happened.
  for (const CaKind kind : {CaKind::fabric, CaKind::etcd, CaKind::apiserver}) {
    const auto key = read_key(ca_file(dir, kind, 1, "key"), &good());
    REQUIRE(key);
    REQUIRE(write_key(ca_file(dir, kind, 1, "key"), *key, &wrong(), {}));
  }
  CHECK(loading(dir, &good()) != "loaded");
  CHECK(convert_keys(dir, {{&good()}, &wrong()}).value() == 7);
  CHECK(loading(dir, &wrong()) == "loaded");
}

TEST_CASE("the passphrase comes from a file of its own or a credential", "[ca][keys]") {
  const TempDir temp;
  const auto text_of = [](const Result<std::optional<Secret>>& found) {
    return !found ? found.error().message : *found ? std::string((*found)->reveal()) : std::string("none");
  };
  CHECK(text_of(find_ca_passphrase("", "")) == "none");
  CHECK(text_of(find_ca_passphrase("", temp / "no-such-dir")) == "none");
  fs::create_directory(temp / "credentials");
  put_file(temp / "credentials/ca-passphrase", "from systemd\n");
  CHECK(text_of(find_ca_passphrase("", temp / "credentials")) == "from systemd");
  const std::string file = temp / "pass";
  put_file(file, "from a file\n");
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  CHECK(text_of(find_ca_passphrase(file, temp / "credentials")) == "from a file");
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK_THAT(text_of(find_ca_passphrase(file, "")), Contains("chmod"));
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  put_file(file, "short");
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  CHECK_THAT(text_of(find_ca_passphrase(file, "")), Contains("8 to 1000 bytes"));
  CHECK(find_ca_passphrase(temp / "missing", "").error().code == Errc::not_found);
  if (::geteuid() == 0) {
    REQUIRE(::chown(file.c_str(), 12345, 12345) == 0);
    CHECK_THAT(text_of(find_ca_passphrase(file, "")), Contains("belongs to user id 12345") && Contains("run: chown"));
  }
}

struct Keys {
  explicit Keys(std::optional<Secret> passphrase = {}) {
    REQUIRE(test_authority().save(dir, {}, passphrase ? &*passphrase : nullptr));
    signer = std::make_unique<FileSigner>(test_authority());
    keys = std::make_unique<FileCaKeys>(dir, temp / "import", std::move(passphrase), test_authority(), *signer);
  }
  TempDir temp;
  std::string dir = temp / "ca";
  std::unique_ptr<FileSigner> signer;
  std::unique_ptr<FileCaKeys> keys;
};

IssuedCert sign(FileSigner& signer, CertUsage usage) {
  const auto spec = profile(usage, test_input());
  REQUIRE(spec);
  const auto key = PrivateKey::generate_p256();
  const auto serial = Serial::from_random(std::string(16, '\x41'));
  const auto issued = signer.issue(*spec, key->spki_der(), *serial, k_now, k_now + Seconds(3600));
  INFO((issued ? "" : issued.error().message));
  REQUIRE(issued);
  return *issued;
}

TEST_CASE("the signer follows the line, the serving certificate last", "[ca][keys]") {
  Keys world(good().copy());
  const auto first = facts_of(test_authority().ca(CaKind::fabric));
  const auto second = world.keys->make(CaKind::fabric, 1, test_cluster(), k_now);
  REQUIRE(second);
  CHECK(second->number == 2);
  CHECK_THAT(get_file(world.dir + "/fabric-ca-2.key"), Contains(k_encrypted));  // as all others
  CaLine line = adopt_ca(CaKind::fabric, first, "", k_now);
  line = prepare_ca(line, *second, "", k_now).value();
  REQUIRE(world.keys->use(line));
  CHECK(sign(*world.signer, CertUsage::agent).ca == 1);
  CHECK(world.signer->ca_pem(CaKind::fabric) == world.keys->bundle_pem(CaKind::fabric, {1, 2}).value());
  line = activate_ca(line, {}, k_now).value();
  REQUIRE(world.keys->use(line));
  const IssuedCert agent = sign(*world.signer, CertUsage::agent);
  CHECK(agent.ca == 2);
  CHECK(openssl_verify(agent.der, world.keys->bundle_pem(CaKind::fabric, {2}).value(), {}) == 0);
  CHECK(openssl_verify(agent.der, world.keys->bundle_pem(CaKind::fabric, {1}).value(), {}) != 0);
  CHECK(sign(*world.signer, CertUsage::coordinator_serving).ca == 1);
  const std::string both = world.signer->ca_pem(CaKind::fabric);
  line = retire_ca(line, {}, true, "", k_now).value();
  REQUIRE(world.keys->use(line));
  CHECK(sign(*world.signer, CertUsage::coordinator_serving).ca == 2);
  CHECK(world.signer->ca_pem(CaKind::fabric) != both);
  // What a restart finds.
  REQUIRE(world.keys->destroy_key(CaKind::fabric, 1));
  CHECK_FALSE(fs::exists(world.dir + "/fabric-ca.key"));
  CHECK(fs::exists(world.dir + "/fabric-ca.crt"));
  const auto loaded = Authority::load(world.dir, {&good(), {{CaKind::fabric, line}}});
  REQUIRE(loaded);
  CHECK(loaded->ca(CaKind::fabric).number == 2);
  CHECK_FALSE(Authority::load(world.dir, {&good(), {}}));
}

TEST_CASE("files that are not the state's are not taken for it, and nothing without a record is overwritten", "[ca][keys]") {
  Keys world;
  CaLine line = adopt_ca(CaKind::etcd, facts_of(test_authority().ca(CaKind::etcd)), "", k_now);
  line.signing.sha256 = std::string(64, '0');
  const auto loaded = Authority::load(world.dir, {nullptr, {{CaKind::etcd, line}}});
  REQUIRE_FALSE(loaded);
  CHECK_THAT(loaded.error().message, Contains("not the authority that the state knows") && Contains("same backup"));
  put_file(world.dir + "/etcd-ca-2.key", "of a crash");
  CHECK(world.keys->make(CaKind::etcd, 1, test_cluster(), k_now)->number == 3);
  CHECK(get_file(world.dir + "/etcd-ca-2.key") == "of a crash");
}

TEST_CASE("a start deletes keys whose retire was recorded, and no others", "[ca][keys]") {
  Keys world;
  const auto second = world.keys->make(CaKind::etcd, 1, test_cluster(), k_now);
  REQUIRE(second);
  put_file(world.dir + "/etcd-ca-3.key", "unknown to this state");
  CaLine line = adopt_ca(CaKind::etcd, *second, "", k_now);
  REQUIRE(world.keys->tidy({{CaKind::etcd, line}}));
  CHECK_FALSE(fs::exists(world.dir + "/etcd-ca.key"));
  CHECK(fs::exists(world.dir + "/etcd-ca-2.key"));
  CHECK(fs::exists(world.dir + "/etcd-ca-3.key"));
  CHECK(fs::exists(world.dir + "/fabric-ca.key"));
}

}  // namespace
}  // namespace slipway
