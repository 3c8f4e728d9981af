#include "coordinator/ca/authority.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "common/crypto/oid.hpp"
#include "common/files/atomic_file.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

using namespace slipway;
using namespace slipway::test;
using Catch::Matchers::Contains;

namespace {

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/slipway-ca-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::string load_refusal(const std::string& dir) {
  const auto loaded = Authority::load(dir);
  return loaded ? "loaded" : loaded.error().message;
}

}  // namespace

TEST_CASE("six authorities, apart in key, name and use", "[pki]") {
  std::set<std::string> keys, names;
  for (const auto kind : k_ca_kinds) {
    INFO(to_string(kind));
    const auto& ca = test_authority().ca(kind);
    const auto& cert = ca.certificate;
    keys.insert(cert.spki_sha256_hex());
    names.insert(cert.subject());
    CHECK(cert.is_ca());
    CHECK(cert.key_usage_bits() == ((1U << 5) | (1U << 6)));
    CHECK(cert.subject() == cert.issuer());
    CHECK(cert.subject_key_id() == ca.key.key_id());
    CHECK(cert.authority_key_id() == ca.key.key_id());
    CHECK(cert.verify_issued_by(cert));
    CHECK(cert.matches(ca.key));
    CHECK(cert.not_before() < k_now - Seconds(300));
    CHECK(cert.not_after() == k_now + Seconds(3650L * 86400));
    CHECK_THAT(cert.common_name(), Contains("demo") && Contains("2026"));
    CHECK(cert.common_name().size() <= 64);
    const bool clients_only = kind == CaKind::kube_client || kind == CaKind::front_proxy;
    const bool servers_only = kind == CaKind::kubelet_serving || kind == CaKind::apiserver;
    CHECK(cert.has_eku(Eku::server_auth) == !clients_only);
    CHECK(cert.has_eku(Eku::client_auth) == !servers_only);
    bool constrained = false;
    for (const auto& extension : cert.extensions()) {
      if (extension.oid == oid::k_name_constraints) constrained = extension.critical;
    }
    CHECK(constrained == (kind == CaKind::kubelet_serving));
  }
  CHECK(keys.size() == 6);
  CHECK(names.size() == 6);
  CHECK(test_authority().service_account_key().type() == KeyType::rsa);
}

TEST_CASE("a long cluster name still fits", "[pki]") {
  auto cluster = test_cluster();
  cluster.name = std::string(63, 'x');
  const auto authority = Authority::create(cluster, k_now);
  REQUIRE(authority);
  for (const auto kind : k_ca_kinds) CHECK(authority->ca(kind).certificate.common_name().size() <= 64);
}

TEST_CASE("key files are 0600 even under umask 0 and load as they were", "[pki]") {
  const TempDir temp;
  const auto dir = temp / "pki";
  const mode_t before = ::umask(0);
  const auto saved = test_authority().save(dir, {});
  ::umask(before);
  REQUIRE(saved);
  CHECK(mode_of(dir) == 0700);
  int keys = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    const auto path = entry.path().string();
    INFO(path);
    const bool key = path.ends_with(".key");
    keys += key ? 1 : 0;
    CHECK(mode_of(path) == (key ? 0600 : 0644));
  }
  CHECK(keys == 7);
  CHECK_FALSE(std::filesystem::exists(dir + ".new"));
  const auto loaded = Authority::load(dir);
  REQUIRE(loaded);
  for (const auto kind : k_ca_kinds)
    CHECK(loaded->ca(kind).certificate.der() == test_authority().ca(kind).certificate.der());
  CHECK(loaded->service_account_key().spki_der() == test_authority().service_account_key().spki_der());
}

TEST_CASE("a certificate authority is never overwritten", "[pki]") {
  const TempDir temp;
  const auto dir = temp / "pki";
  std::filesystem::create_directory(dir);
  const auto saved = test_authority().save(dir, {});
  REQUIRE_FALSE(saved);
  CHECK(saved.error().code == Errc::conflict);
  CHECK(std::filesystem::is_empty(dir));
}

TEST_CASE("what an interrupted init left behind is not in the way", "[pki]") {
  const TempDir temp;
  const auto dir = temp / "pki";
  std::filesystem::create_directory(dir + ".new");
  REQUIRE(write_file_atomically(dir + ".new/left", "x", 0600));
  REQUIRE(test_authority().save(dir, {}));
  CHECK_FALSE(std::filesystem::exists(dir + "/left"));
  CHECK(Authority::load(dir));
}

TEST_CASE("keys that others can reach are refused with the cure", "[pki]") {
  const TempDir temp;
  const auto dir = temp / "pki";
  REQUIRE(test_authority().save(dir, {}));
  const auto key = dir + "/fabric-ca.key";
  for (const mode_t mode : {0640, 0604, 0644, 0620, 0666}) {
    REQUIRE(::chmod(key.c_str(), mode) == 0);
    INFO(mode);
    CHECK_THAT(load_refusal(dir), Contains("run: chmod") && Contains(key));
  }
  REQUIRE(::chmod(key.c_str(), 0600) == 0);
  CHECK(load_refusal(dir) == "loaded");
  REQUIRE(::chmod(key.c_str(), 0400) == 0);
  CHECK(load_refusal(dir) == "loaded");
  REQUIRE(::chmod((dir + "/fabric-ca.crt").c_str(), 0666) == 0);
  CHECK_THAT(load_refusal(dir), Contains("chmod go-w"));
  REQUIRE(::chmod((dir + "/fabric-ca.crt").c_str(), 0644) == 0);
  REQUIRE(::chmod(dir.c_str(), 0777) == 0);
  CHECK_THAT(load_refusal(dir), Contains("chmod go-w " + dir));
}

TEST_CASE("keys that belong to somebody else are refused", "[pki]") {
  if (::geteuid() != 0) return;  // only root can give files away
  const TempDir temp;
  const auto dir = temp / "pki";
  REQUIRE(test_authority().save(dir, FileOwner{12345, 12345}));
  CHECK_THAT(load_refusal(dir), Contains("belongs to user id 12345") && Contains("run: chown"));
  struct stat info {};
  REQUIRE(::stat((dir + "/etcd-ca.key").c_str(), &info) == 0);
  CHECK(info.st_uid == 12345);
}

TEST_CASE("sets whose parts do not belong together are refused", "[pki]") {
  const TempDir temp;
  const auto dir = temp / "pki";
  REQUIRE(test_authority().save(dir, {}));
  namespace fs = std::filesystem;
  const auto overwrite = fs::copy_options::overwrite_existing;
  SECTION("a key of another authority") {
    fs::copy_file(dir + "/etcd-ca.key", dir + "/fabric-ca.key", overwrite);
    CHECK_THAT(load_refusal(dir), Contains("not the certificate of the key beside it"));
  }
  SECTION("one authority twice") {
    fs::copy_file(dir + "/etcd-ca.key", dir + "/fabric-ca.key", overwrite);
    fs::copy_file(dir + "/etcd-ca.crt", dir + "/fabric-ca.crt", overwrite);
    CHECK_THAT(load_refusal(dir), Contains("same key"));
  }
  SECTION("a missing file") {
    fs::remove(dir + "/kubeClient-ca.key");
    CHECK_THAT(load_refusal(dir), Contains("kubeClient-ca.key"));
  }
  SECTION("rubbish") {
    REQUIRE(write_file_atomically(dir + "/etcd-ca.crt", "rubbish", 0644));
    CHECK_THAT(load_refusal(dir), Contains("etcd-ca.crt"));
  }
  SECTION("no folder") {
    CHECK_THAT(load_refusal(temp / "none"), Contains("none"));
  }
}
