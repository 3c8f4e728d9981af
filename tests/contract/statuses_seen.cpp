// Run after all other tests (tests/run does): what openapi.json promises, some test has seen.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/support/cluster_fixture.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::test {
namespace {

// What no port below can bring about in api_failure_test: these ask no port that throws there. The server answers for them when a handler
// throws (http_server_test).
const std::set<std::string> k_of_the_server = {"getCaCertificates-500", "getLivez-500", "getOpenApi-500", "getReadyz-500", "getVersion-500"};
// Races that unit tests make: a random token id that is taken (operations_test), an authority that is replaced while it signs
// (ca_rotation_test).
const std::set<std::string> k_races = {"createToken-409", "replaceNode-409", "renewCertificates-409"};

TEST_CASE("every status in openapi.json has been given by some test", "[.statuses]") {
  const std::filesystem::path folder = std::filesystem::path(SLIPWAY_BINARY_DIR) / "statuses";
  REQUIRE(std::filesystem::exists(folder));
  std::size_t promised = 0;
  for (const auto& [path, methods] : openapi().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      for (const auto& [status, response] : operation.at("responses").items()) {
        const std::string name = operation.at("operationId").get<std::string>() + "-" + status;
        if (k_of_the_server.count(name) != 0 || k_races.count(name) != 0) continue;
        ++promised;
        INFO(name);
        CHECK(std::filesystem::exists(folder / name));
      }
    }
  }
  CHECK(promised > 340);
}

}  // namespace
}  // namespace slipway::test
