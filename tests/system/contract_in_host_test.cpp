// The contract that the fake supervisor keeps, kept by the real systemd too: the contract tests' own program, run inside a host.
#include <catch2/catch.hpp>
#include <filesystem>

#include "common/core/text.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;

TEST_CASE("system 40: the real systemd keeps the supervisor's contract", "[system]") {
  lab::ExtraHost host("extra7", 47);
  const std::string root(slipway::trim(lab::tool({"root", lab::cluster_name(), host.name()}).out));
  std::filesystem::copy_file(std::string(SLIPWAY_BINARY_DIR) + "/bin/contract_tests", root + "/usr/local/bin/contract_tests");
  const auto outcome =
      lab::on(host.name(), {"env", "SLIPWAY_TEST_SYSTEMD=1", "/usr/local/bin/contract_tests", "supervisor contract*"}, 120s);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.status == 0);
  REQUIRE(outcome.out.find("SKIPPED") == std::string::npos);
  REQUIRE(outcome.err.find("SKIPPED") == std::string::npos);
}
