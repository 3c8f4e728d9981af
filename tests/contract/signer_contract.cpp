// What every Signer with its CaKeys must do: the one on files in this process, and the one behind channels,
// on threads and in a process of its own.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "common/crypto/certificate.hpp"
#include "common/crypto/chain_verify.hpp"
#include "common/crypto/private_key.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/file_ca_keys.hpp"
#include "coordinator/signer/client.hpp"
#include "coordinator/signer/process.hpp"
#include "coordinator/signer/threads.hpp"
#include "slipway_test_paths.hpp"
#include "tests/support/fake_signer.hpp"
#include "tests/support/profile_cluster.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

using Catch::Matchers::Contains;

WallTime now() {
  return std::chrono::floor<Seconds>(std::chrono::system_clock::now());
}

ProfileCluster cluster() {
  ProfileCluster cluster = demo_profile_cluster("10.77.0.10");
  cluster.coordinator_names = {"10.77.0.10"};
  return cluster;
}

// Making one costs an RSA key.
const Authority& authorities() {
  static const Authority made = Authority::create(cluster(), now()).value();
  return made;
}

struct KeyFolder {
  TempDir dir;
  KeyFolder() {
    REQUIRE(authorities().save(dir / "ca", {}));
    std::filesystem::create_directory(dir / "import");
  }
  signer::Open open() const {
    return {dir / "ca", dir / "import", "", "", {}, {cluster(), {}}, now() - Seconds(60)};
  }
};

struct OnFiles {
  KeyFolder folder;
  FileSigner files{authorities()};
  FileCaKeys file_keys{folder.dir / "ca", folder.dir / "import", {}, authorities(), files};
  Signer& signer() { return files; }
  CaKeys& keys() { return file_keys; }
};

[[noreturn]] void lost(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  std::abort();
}

struct OnThreads {
  KeyFolder folder;
  std::unique_ptr<signer::SignerThreads> threads = signer::SignerThreads::start(2).value();
  std::unique_ptr<signer::SignerClient> client =
      signer::SignerClient::open(threads->take_link(), folder.open(), lost).value();
  Signer& signer() { return *client; }
  CaKeys& keys() { return *client; }
};

struct InAProcess {
  KeyFolder folder;
  signer::SignerProcess process =
      signer::SignerProcess::start(2, SLIPWAY_BINARY_DIR "/bin/slipway-coordinator").value();
  std::unique_ptr<signer::SignerClient> client =
      signer::SignerClient::open(process.take_link(), folder.open(), lost).value();
  Signer& signer() { return *client; }
  CaKeys& keys() { return *client; }
};

ProfileInput master() {
  ProfileInput input;
  input.cluster = cluster();
  input.node = {
      "master-1", "9b2f1c1e-0000-4000-8000-00000000000a", 1, true, {IpAddress::parse("10.77.0.10").value()}};
  input.user_name = "alice";
  return input;
}

const PrivateKey& leaf_key() {
  static const PrivateKey key = PrivateKey::generate_p256().value();
  return key;
}

CertSpec spec_of(CertUsage usage) {
  CertSpec spec = profile(usage, master()).value();
  if (usage == CertUsage::coordinator_serving) add_own_host(spec);
  return spec;
}

IssueRequest request_for(const CertSpec& spec) {
  const Validity life = validity_of(spec.validity, {}, now());
  return {spec, leaf_key().spki_der(), Serial::from_random(random_bytes(16)).value(), life.not_before,
          life.not_after};
}

Result<IssuedCert> issue(Signer& signer, const CertSpec& spec) {
  const IssueRequest wanted = request_for(spec);
  return signer.issue(wanted.spec, wanted.spki_der, wanted.serial, wanted.not_before, wanted.not_after);
}

bool comes_from(const IssuedCert& issued, const std::string& ca_pem, const CertSpec& spec) {
  const auto leaf = Certificate::from_der(issued.der);
  const auto ca = Certificate::from_pem(ca_pem);
  const auto purpose = spec.eku.server_auth ? ChainPurpose::server : ChainPurpose::client;
  return leaf && ca && verify_chain(*leaf, {}, *ca, purpose, now());
}

TEMPLATE_TEST_CASE("a signer signs what the profiles make, as it was asked", "[signer]", OnFiles, OnThreads,
                   InAProcess) {
  TestType rig;
  for (const CertUsage usage : k_cert_usages) {
    INFO(to_string(usage));
    const IssueRequest wanted = request_for(spec_of(usage));
    const auto issued =
        rig.signer().issue(wanted.spec, wanted.spki_der, wanted.serial, wanted.not_before, wanted.not_after);
    REQUIRE((issued ? "" : issued.error().message) == std::string());
    CHECK(issued->serial_hex == wanted.serial.hex());
    CHECK(issued->not_before == wanted.not_before);
    CHECK(issued->not_after == wanted.not_after);
    CHECK(issued->ca == rig.signer().issuer_number(usage));
    const auto certificate = Certificate::from_pem(issued->pem);
    REQUIRE(certificate);
    CHECK(certificate->der() == issued->der);
    CHECK(certificate->sha256_hex() == issued->sha256_hex);
    CHECK(certificate->spki_der() == wanted.spki_der);
    CHECK(comes_from(*issued, rig.signer().issuer_pem(usage), wanted.spec));
    CHECK(rig.signer().ca_pem(ca_of(usage)) == authorities().ca(ca_of(usage)).pem);
  }
}

TEMPLATE_TEST_CASE("a signer refuses what no profile makes", "[signer]", OnFiles, OnThreads, InAProcess) {
  TestType rig;
  const auto refusal = [&rig](CertUsage usage, auto change) {
    CertSpec spec = spec_of(usage);
    change(spec);
    const auto issued = issue(rig.signer(), spec);
    return issued ? Errc::internal : issued.error().code;
  };
  for (const CertUsage usage : k_cert_usages) {
    INFO(to_string(usage));
    if (usage != CertUsage::coordinator_bootstrap)
      CHECK(refusal(usage, [](CertSpec& s) { s.organization = "system:masters"; }) == Errc::denied);
    CHECK(refusal(usage, [](CertSpec& s) { s.common_name = "system:admin"; }) == Errc::denied);
  }
  CHECK(refusal(CertUsage::agent, [](CertSpec& s) { s.issuer = CaKind::kube_client; }) == Errc::denied);
  CHECK(refusal(CertUsage::kubelet_client, [](CertSpec& s) { s.dns_names = {"a"}; }) == Errc::denied);
  CHECK(refusal(CertUsage::apiserver_serving, [](CertSpec& s) { s.dns_names = {"*.example.org"}; }) ==
        Errc::denied);
  IssueRequest wanted = request_for(spec_of(CertUsage::agent));
  const auto bad_key =
      rig.signer().issue(wanted.spec, "not a key", wanted.serial, wanted.not_before, wanted.not_after);
  CHECK(bad_key.error().code == Errc::invalid);
  // Fifteen minutes, backdating included, are the most that somebody in system:masters gets.
  wanted = request_for(spec_of(CertUsage::coordinator_bootstrap));
  const auto long_one = rig.signer().issue(wanted.spec, wanted.spki_der, wanted.serial, wanted.not_before,
                                           wanted.not_after + Seconds(3600));
  CHECK(long_one.error().code == Errc::denied);
}

struct OnNothing {
  FakeSigner fake;
  Signer& signer() { return fake; }
};

TEMPLATE_TEST_CASE("what is asked for together comes together, in its order", "[signer]", OnNothing, OnFiles,
                   OnThreads, InAProcess) {
  TestType rig;
  std::vector<IssueRequest> wanted;
  for (const CertUsage usage : usages_of_master()) wanted.push_back(request_for(spec_of(usage)));
  const auto issued = rig.signer().issue_all(wanted);
  REQUIRE((issued ? "" : issued.error().message) == std::string());
  REQUIRE(issued->size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK((*issued)[i].serial_hex == wanted[i].serial.hex());
  CHECK(rig.signer().issue_all({})->empty());
}

TEMPLATE_TEST_CASE("with one refusal none comes", "[signer]", OnFiles, OnThreads, InAProcess) {
  TestType rig;
  std::vector<IssueRequest> wanted = {request_for(spec_of(CertUsage::agent)),
                                      request_for(spec_of(CertUsage::kubelet_client))};
  wanted[1].spec.organization = "system:masters";
  const auto issued = rig.signer().issue_all(wanted);
  REQUIRE_FALSE(issued);
  CHECK(issued.error().code == Errc::denied);
}

TEMPLATE_TEST_CASE("a signer signs revocation lists", "[signer]", OnFiles, OnThreads, InAProcess) {
  TestType rig;
  CrlSpec spec{CaKind::fabric, 7, now(), now() + Seconds(3600), {}, 0};
  for (int i = 1; i <= 20'000; ++i) {
    const std::string bytes =
        std::string("\1", 1) + static_cast<char>(i >> 16) + static_cast<char>(i >> 8) + static_cast<char>(i);
    spec.entries.push_back(
        {Serial::from_hex(to_hex(bytes)).value(), now(), CrlReason::cessation_of_operation});
  }
  const auto list = rig.signer().sign_crl(spec);
  REQUIRE((list ? "" : list.error().message) == std::string());
  CHECK(list->size() > 20'000U * 30);  // longer than what a socket takes at once
  spec.ca = 9;
  CHECK(rig.signer().sign_crl(spec).error().code == Errc::unavailable);
}

TEMPLATE_TEST_CASE("a signer follows the line of its authorities", "[signer][ca]", OnFiles, OnThreads,
                   InAProcess) {
  TestType rig;
  Signer& signer = rig.signer();
  const CertSpec agent = spec_of(CertUsage::agent), serving = spec_of(CertUsage::coordinator_serving);
  const std::string folder = rig.folder.dir / "ca";
  const auto second = rig.keys().make(CaKind::fabric, 1, cluster(), now());
  REQUIRE((second ? "" : second.error().message) == std::string());
  CHECK(second->number == 2);
  const std::string new_pem = rig.keys().bundle_pem(CaKind::fabric, {2}).value();
  CHECK(Certificate::from_pem(new_pem)->sha256_hex() == second->sha256);
  CHECK(signer.ca_pem(CaKind::fabric) == authorities().ca(CaKind::fabric).pem);  // made is not yet used
  CaLine line = adopt_ca(CaKind::fabric, facts_of(authorities().ca(CaKind::fabric)), "", now());
  line = prepare_ca(line, *second, "", now()).value();
  REQUIRE(rig.keys().use(line));
  const std::string both = rig.keys().bundle_pem(CaKind::fabric, {1, 2}).value();
  CHECK(signer.ca_pem(CaKind::fabric) == both);
  CHECK(issue(signer, agent)->ca == 1);
  line = activate_ca(line, {}, now()).value();
  REQUIRE(rig.keys().use(line));
  const auto by_new = issue(signer, agent);
  CHECK(by_new->ca == 2);
  CHECK(comes_from(*by_new, new_pem, agent));
  CHECK(issue(signer, serving)->ca == 1);  // the last to move
  CHECK(signer.issuer_number(CertUsage::coordinator_serving) == 1);
  line = retire_ca(line, {}, true, "", now()).value();
  REQUIRE(rig.keys().use(line));
  CHECK(signer.ca_pem(CaKind::fabric) == new_pem);
  CHECK(signer.issuer_pem(CertUsage::coordinator_serving) == new_pem);
  CHECK(issue(signer, serving)->ca == 2);
  REQUIRE(rig.keys().destroy_key(CaKind::fabric, 1));
  CHECK_FALSE(std::filesystem::exists(folder + "/fabric-ca.key"));
  CHECK(std::filesystem::exists(folder + "/fabric-ca.crt"));
  CHECK(std::filesystem::exists(folder + "/fabric-ca-2.key"));
  line.signing.number = 5;
  CHECK_FALSE(rig.keys().use(line));
  CHECK_FALSE(rig.keys().bundle_pem(CaKind::fabric, {5}));
}

TEMPLATE_TEST_CASE("an import says what does not fit", "[signer][ca]", OnFiles, OnThreads, InAProcess) {
  TestType rig;
  const auto missing = rig.keys().import(CaKind::etcd, 1, cluster(), {}, now());
  REQUIRE_FALSE(missing);
  CHECK_THAT(missing.error().message, Contains("importing the etcd authority"));
  // The key that signs already.
  for (const char* file : {"etcd-ca.crt", "etcd-ca.key"})
    std::filesystem::copy_file(rig.folder.dir / ("ca/" + std::string(file)),
                               rig.folder.dir / ("import/" + std::string(file)));
  const auto same = rig.keys().import(CaKind::etcd, 1, cluster(), {}, now());
  REQUIRE_FALSE(same);
  CHECK(same.error().code == Errc::invalid);
  CHECK_THAT(same.error().message, Contains("each needs a key of its own"));
}

TEMPLATE_TEST_CASE("several threads ask a signer at once", "[signer]", OnFiles, OnThreads, InAProcess) {
  TestType rig;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&rig, &good] {
      for (int i = 0; i < 20; ++i) {
        const std::vector<IssueRequest> wanted = {request_for(spec_of(CertUsage::agent)),
                                                  request_for(spec_of(CertUsage::kube_proxy))};
        const auto issued = rig.signer().issue_all(wanted);
        if (issued && (*issued)[0].serial_hex == wanted[0].serial.hex() &&
            (*issued)[1].serial_hex == wanted[1].serial.hex())
          ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 120);
}

}  // namespace
}  // namespace slipway::test
