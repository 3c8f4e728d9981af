// The contracts that the fakes keep, kept by the real systemd and kube-apiserver too: the contract tests' own program.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "common/core/text.hpp"
#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;

namespace {

// Hosts of another Debian release have other libraries: tests/run --on says where the programs are that were built for them.
std::string programs_for_hosts() {
  const char* folder = std::getenv("SLIPWAY_SYSTEM_HOST_TESTS");
  return folder != nullptr && *folder != '\0' ? folder : std::string(SLIPWAY_BINARY_DIR) + "/bin";
}

}  // namespace

TEST_CASE("system 40: the real systemd keeps the supervisor's contract", "[system]") {
  lab::ExtraHost host("extra7", 47);
  const std::string root(slipway::trim(lab::tool({"root", lab::cluster_name(), host.name()}).out));
  std::filesystem::copy_file(programs_for_hosts() + "/contract_tests", root + "/usr/local/bin/contract_tests");
  const auto outcome =
      lab::on(host.name(), {"env", "SLIPWAY_TEST_SYSTEMD=1", "/usr/local/bin/contract_tests", "supervisor contract*"}, 120s);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.status == 0);
  REQUIRE(outcome.out.find("SKIPPED") == std::string::npos);
  REQUIRE(outcome.err.find("SKIPPED") == std::string::npos);
}

// Not the cluster's API server, which the coordinator uses meanwhile: its program, and a server of the test's own.
TEST_CASE("system 41: the real kube-apiserver keeps the coordinator's contract", "[system]") {
  const std::filesystem::path root(slipway::trim(lab::tool({"root", lab::cluster_name(), "master"}).out));
  const auto program = [&](const std::string& name) {
    for (const auto& version : std::filesystem::directory_iterator(root / "opt/slipway" / name)) {
      const auto path = version.path() / name;
      if (!version.is_symlink() && std::filesystem::is_regular_file(path)) return path.string();
    }
    FAIL("the master has no " << name);
    return std::string();
  };
  const auto outcome = lab::run({"env", "SLIPWAY_TEST_KUBE_APISERVER=" + program("kube-apiserver"),
                                 "SLIPWAY_TEST_ETCD=" + program("etcd"),
                                 std::string(SLIPWAY_BINARY_DIR) + "/bin/contract_tests", "kube api contract*"},
                                600s);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.status == 0);
  REQUIRE(outcome.out.find("SKIPPED") == std::string::npos);
  REQUIRE(outcome.err.find("SKIPPED") == std::string::npos);
}
