// Other people's verifiers on every profile: OpenSSL's program, GnuTLS and Go. The right purpose passes, every other one fails.
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <functional>

#include "common/core/text.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "tests/support/profile_cluster.hpp"
#include "tests/support/temp_dir.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::test {
namespace {

WallTime now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

ProfileCluster cluster_of_engines() {
  ProfileCluster cluster = demo_profile_cluster("api.example.org");
  cluster.node_cidrs = {Cidr::parse("10.77.0.0/24").value()};
  cluster.coordinator_names = {"10.77.0.10", "coordinator.example.org"};
  return cluster;
}

struct Outcome {
  int code = -1;
  std::string text;
};
Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) outcome.text.append(buffer.data(), got);
  outcome.code = ::pclose(pipe);
  return outcome;
}

// Every profile as files: <dir>/<usage>.pem, <dir>/<kind>-ca.pem.
struct Files {
  TempDir dir;
  struct Leaf {
    CertSpec spec;
    std::string path;
  };
  std::vector<Leaf> leaves;

  Files() {
    const auto cluster = cluster_of_engines();
    const auto authority = Authority::create(cluster, now());
    REQUIRE(authority);
    FileSigner signer(*authority);
    for (const CaKind kind : k_ca_kinds) put_file(ca(kind), signer.ca_pem(kind));
    ProfileInput input;
    input.cluster = cluster;
    input.node = {"master-1", "9b2f1c1e-0000-4000-8000-00000000000a", 1, true, {IpAddress::parse("10.77.0.10").value()}};
    input.user_name = "alice";
    const auto key = PrivateKey::generate_p256();
    for (const CertUsage usage : k_cert_usages) {
      const auto spec = profile(usage, input).value();
      const auto validity = validity_of(spec.validity, {}, now());
      const auto cert = signer.issue(spec, key->spki_der(), *Serial::from_random(random_bytes(16)), validity.not_before, validity.not_after);
      REQUIRE(cert);
      leaves.push_back({spec, dir / std::string(to_string(usage)) + ".pem"});
      put_file(leaves.back().path, cert->pem);
    }
  }
  std::string ca(CaKind kind) const { return dir / std::string(to_string(kind)) + "-ca.pem"; }
};

const Files& files() {
  static const Files made;
  return made;
}

// `verify(server?, CA file, certificate file)`: empty when it passes, else the verifier's words.
using Verify = std::function<std::string(bool, const std::string&, const std::string&)>;

void check_engine(const Verify& verify) {
  for (const Files::Leaf& leaf : files().leaves) {
    for (const bool server : {true, false}) {
      for (const CaKind kind : k_ca_kinds) {
        // One stranger is enough for each purpose: the next authority in the list.
        const bool own = kind == leaf.spec.issuer;
        const bool neighbour = static_cast<std::size_t>(kind) == (static_cast<std::size_t>(leaf.spec.issuer) + 1) % std::size(k_ca_kinds);
        if (!own && !neighbour) continue;
        const bool right = own && (server ? leaf.spec.eku.server_auth : leaf.spec.eku.client_auth);
        const std::string said = verify(server, files().ca(kind), leaf.path);
        INFO(to_string(leaf.spec.usage) << " as " << (server ? "server" : "client") << " under " << to_string(kind) << ": " << said);
        CHECK(said.empty() == right);
      }
    }
  }
}

TEST_CASE("OpenSSL's program takes every profile for its purpose only", "[pki][engines]") {
  if (run("openssl version").code != 0) FAIL("openssl is missing: sudo apt-get install openssl (packaging/build-deps.txt)");
  check_engine([](bool server, const std::string& ca, const std::string& cert) {
    const Outcome outcome = run(std::string("openssl verify -x509_strict -check_ss_sig -auth_level 2 -no-CApath -no-CAstore -purpose ") +
                                (server ? "sslserver" : "sslclient") + " -CAfile " + ca + " " + cert);
    return outcome.code == 0 ? std::string() : outcome.text;
  });
}

TEST_CASE("GnuTLS takes every profile for its purpose only", "[pki][engines]") {
  if (run("certtool --version").code != 0) FAIL("certtool is missing: sudo apt-get install gnutls-bin (packaging/build-deps.txt)");
  check_engine([](bool server, const std::string& ca, const std::string& cert) {
    const Outcome outcome = run(std::string("certtool --verify --verify-profile=high --verify-purpose=1.3.6.1.5.5.7.3.") + (server ? "1" : "2") +
                                " --load-ca-certificate " + ca + " --infile " + cert);
    return outcome.code == 0 ? std::string() : outcome.text;
  });
}

TEST_CASE("Go takes every profile for its purpose only", "[pki][engines]") {
  const TempDir work;
  const std::string source = std::string(SLIPWAY_SOURCE_DIR) + "/tests/engines/verify.go";
  std::string go = "go";
  if (run(go + " version").code != 0) go = "/usr/lib/go-1.19/bin/go";  // Debian's golang-1.19-go
  if (run(go + " version").code != 0) {
    WARN("SKIPPED: Go (golang-1.19-go) is not installed");
    return;
  }
  const std::string environment = "GOFLAGS= GO111MODULE=off CGO_ENABLED=0 GOCACHE=" + (work / "cache") + " ";
  const Outcome built = run(environment + go + " build -o " + (work / "verify") + " " + source);
  INFO(built.text);
  REQUIRE(built.code == 0);
  const auto ask = [&work](const std::string& line) {
    const Outcome outcome = run("echo '" + line + "' | " + (work / "verify"));
    REQUIRE(outcome.code == 0);
    return outcome.text == "ok\n" ? std::string() : outcome.text;
  };
  check_engine([&ask](bool server, const std::string& ca, const std::string& cert) {
    return ask(std::string(server ? "server " : "client ") + ca + " " + cert);
  });
  // Names, as kube-apiserver checks a kubelet and a client checks kube-apiserver.
  const std::string kubelet = files().ca(CaKind::kubelet_serving) + " " + (files().dir / "kubeletServing.pem");
  CHECK(ask("server " + kubelet + " master-1").empty());
  CHECK(ask("server " + kubelet + " 10.77.0.10").empty());
  CHECK_FALSE(ask("server " + kubelet + " master-2").empty());
  CHECK_FALSE(ask("server " + kubelet + " 10.77.0.11").empty());
  const std::string api = files().ca(CaKind::apiserver) + " " + (files().dir / "apiserverServing.pem");
  CHECK(ask("server " + api + " kubernetes.default.svc").empty());
  CHECK_FALSE(ask("server " + api + " example.org").empty());
}

}  // namespace
}  // namespace slipway::test
