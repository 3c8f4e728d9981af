// Authorities that openssl made, imported: what fits and each reason why one does not.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "common/crypto/chain_verify.hpp"
#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/ca/import_ca.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway {
namespace {

using namespace test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

WallTime now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

constexpr const char* k_ca_extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";

// A folder of authorities as an operator would bring it.
struct Folder {
  TempDir dir;

  void run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system((command + " > /dev/null 2>&1").c_str()) == 0);
  }
  std::string path(const std::string& name) const { return dir / name; }
  // Self-signed. `key`: as for openssl genpkey.
  void root(const std::string& name, const std::string& extensions = k_ca_extensions, int days = 3650,
            const std::string& key = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", const std::string& digest = "-sha256") {
    put_file(path("cnf"), "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=x\n[dn]\nO=Corp\nCN=Corp " + name + "\n[x]\n" + extensions);
    run("openssl genpkey " + key + " -out " + path(name + ".key"));
    run("openssl req -x509 -new -config " + path("cnf") + " -key " + path(name + ".key") + " -out " + path(name + ".crt") + " -days " +
        std::to_string(days) + " " + digest);
    REQUIRE(::chmod(path(name + ".key").c_str(), 0600) == 0);
  }
  // Signed by `issuer`; its issuers are appended when `whole`.
  void below(const std::string& name, const std::string& issuer, const std::string& extensions = k_ca_extensions, bool whole = true) {
    put_file(path("ext"), extensions + "authorityKeyIdentifier=keyid\n");
    run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + path(name + ".key"));
    run("openssl req -new -subj '/O=Corp/OU=Platform/CN=Corp " + name + "' -key " + path(name + ".key") + " -out " + path("csr"));
    run("openssl x509 -req -in " + path("csr") + " -CA " + path(issuer + ".crt") + " -CAkey " + path(issuer + ".key") +
        " -days 1500 -set_serial 0x1234567890 -extfile " + path("ext") + " -out " + path(name + ".crt"));
    REQUIRE(::chmod(path(name + ".key").c_str(), 0600) == 0);
    if (whole) put_file(path(name + ".crt"), get_file(path(name + ".crt")) + get_file(path(issuer + ".crt")));
  }
  Result<CertificateAuthority> import(CaKind kind) {
    return import_ca(dir.path(), kind, nullptr, test_cluster(), Lifetimes{}, now());
  }
  std::string refusal(CaKind kind) {
    const auto ca = import(kind);
    return ca ? "imported" : ca.error().message;
  }
};

TEST_CASE("a self-signed authority and an intermediate are imported and sign", "[ca][import]") {
  Folder folder;
  folder.root("kubeClient-ca");
  folder.root("root");
  folder.below("fabric-ca", "root");
  const auto authority = Authority::create_from(folder.dir.path(), nullptr, test_cluster(), Lifetimes{}, now());
  REQUIRE((authority ? "" : authority.error().message) == std::string());
  CHECK(authority->ca(CaKind::kube_client).certificate.subject() == "O=Corp,CN=Corp kubeClient-ca");
  CHECK(authority->ca(CaKind::fabric).certificate.subject() == "O=Corp,OU=Platform,CN=Corp fabric-ca");
  CHECK(authority->ca(CaKind::etcd).certificate.common_name().find("etcd") != std::string::npos);  // made

  const std::string saved = folder.dir / "saved";
  REQUIRE(authority->save(saved, {}));
  const auto loaded = Authority::load(saved);
  REQUIRE((loaded ? "" : loaded.error().message) == std::string());
  FileSigner signer(*loaded);
  const auto spec = profile(CertUsage::agent, test_input());
  const auto key = PrivateKey::generate_p256();
  const auto issued = signer.issue(*spec, key->spki_der(), *Serial::from_random(std::string(16, 'a')), now(), now() + Seconds(3600));
  REQUIRE((issued ? "" : issued.error().message) == std::string());
  // The leaf comes with its intermediate and without the root; verifiers trust the intermediate alone, never all of Corp.
  const auto chain = Certificate::chain_from_pem(issued->pem);
  REQUIRE(chain);
  REQUIRE(chain->size() == 2);
  CHECK((*chain)[1].sha256_hex() == loaded->ca(CaKind::fabric).certificate.sha256_hex());
  const auto bundle = Certificate::chain_from_pem(signer.ca_pem(CaKind::fabric));
  REQUIRE(bundle);
  CHECK(bundle->size() == 1);
  const auto root = Certificate::from_pem(get_file(folder.path("root.crt")));
  CHECK(verify_chain((*chain)[0], {(*chain)[1]}, *root, ChainPurpose::client, now()));
  CHECK_FALSE(verify_chain((*chain)[0], {(*chain)[1]}, *root, ChainPurpose::server, now()));
}

TEST_CASE("every reason against an import is said", "[ca][import]") {
  Folder f;
  const std::string common = "subjectKeyIdentifier=hash\n";
  SECTION("another key") {
    f.root("etcd-ca");
    f.root("other");
    fs::copy_file(f.path("other.key"), f.path("etcd-ca.key"), fs::copy_options::overwrite_existing);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("not the certificate of the key"));
  }
  SECTION("no key") {
    f.root("etcd-ca");
    fs::remove(f.path("etcd-ca.key"));
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("etcd-ca.key"));
  }
  SECTION("a key that others can read") {
    f.root("etcd-ca");
    REQUIRE(::chmod(f.path("etcd-ca.key").c_str(), 0644) == 0);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("chmod"));
  }
  SECTION("no authority") {
    f.root("etcd-ca", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n" + common);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("CA:TRUE"));
  }
  SECTION("constraints that are not critical") {
    f.root("etcd-ca", "basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign\n" + common);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("must be critical"));
  }
  SECTION("may not sign") {
    f.root("etcd-ca", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n" + common);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("keyCertSign"));
  }
  SECTION("no key identifier") {
    f.root("etcd-ca", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=none\n");
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("subject key identifier") || Contains("chain"));
  }
  SECTION("ends too soon") {
    f.root("etcd-ca", k_ca_extensions, 20);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("too soon"));
  }
  SECTION("a weak key") {
    f.root("etcd-ca", k_ca_extensions, 3650, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    CHECK(f.refusal(CaKind::etcd) != "imported");
  }
  SECTION("a key of a kind that clients do not know") {
    f.root("etcd-ca", k_ca_extensions, 3650, "-algorithm ED25519", "");
    CHECK(f.refusal(CaKind::etcd) != "imported");
  }
  SECTION("SHA-1") {
    f.root("etcd-ca", k_ca_extensions, 3650, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha1");
    CHECK(f.refusal(CaKind::etcd) != "imported");
  }
  SECTION("an intermediate without its issuer") {
    f.root("root");
    f.below("etcd-ca", "root", k_ca_extensions, false);
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("append the issuers up to the root"));
  }
  SECTION("an intermediate with somebody else's issuer") {
    f.root("root");
    f.root("stranger");
    f.below("etcd-ca", "root", k_ca_extensions, false);
    put_file(f.path("etcd-ca.crt"), get_file(f.path("etcd-ca.crt")) + get_file(f.path("stranger.crt")));
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("the chain does not hold"));
  }
  SECTION("a root that allows no authority below") {
    f.root("root", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n" + common);
    f.below("etcd-ca", "root");
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("path length"));
  }
  SECTION("the wrong extended key usage") {
    f.root("apiserver-ca", std::string(k_ca_extensions) + "extendedKeyUsage=clientAuth\n");
    CHECK_THAT(f.refusal(CaKind::apiserver), Contains("apiserverServing") && Contains("purpose"));
  }
  SECTION("name constraints that leave out the nodes") {
    f.root("kubeletServing-ca", std::string(k_ca_extensions) + "nameConstraints=critical,permitted;IP:192.168.0.0/255.255.0.0\n");
    CHECK_THAT(f.refusal(CaKind::kubelet_serving), Contains("kubeletServing") && Contains("subtree"));
  }
  SECTION("rubbish") {
    put_file(f.path("etcd-ca.crt"), "rubbish");
    CHECK_THAT(f.refusal(CaKind::etcd), Contains("etcd-ca.crt"));
  }
}

TEST_CASE("name constraints that fit the nodes are no hindrance", "[ca][import]") {
  Folder f;
  f.root("kubeletServing-ca", std::string(k_ca_extensions) + "extendedKeyUsage=serverAuth\nnameConstraints=critical,permitted;IP:10.77.0.0/255.255.255.0\n");
  CHECK(f.refusal(CaKind::kubelet_serving) == "imported");
}

TEST_CASE("a folder without authorities, one key for two, and no RSA account key are refused", "[ca][import]") {
  Folder f;
  const auto create = [&f] {
    const auto made = Authority::create_from(f.dir.path(), nullptr, test_cluster(), Lifetimes{}, now());
    return made ? "made" : made.error().message;
  };
  CHECK_THAT(create(), Contains("there is no authority in"));
  f.root("etcd-ca");
  fs::copy_file(f.path("etcd-ca.crt"), f.path("frontProxy-ca.crt"));
  fs::copy_file(f.path("etcd-ca.key"), f.path("frontProxy-ca.key"));
  CHECK_THAT(create(), Contains("have the same key"));
  fs::remove(f.path("frontProxy-ca.crt"));
  f.run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + f.path("service-account.key"));
  REQUIRE(::chmod(f.path("service-account.key").c_str(), 0600) == 0);
  CHECK_THAT(create(), Contains("no RSA key"));
}

}  // namespace
}  // namespace slipway
