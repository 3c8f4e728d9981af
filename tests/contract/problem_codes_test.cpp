// The codes of problem documents: one table in the program, the same in docs/api-errors.md, in the examples of openapi.json and in
// what the HTTP server answers by itself.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "proto/problem.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::proto {
namespace {

using Codes = std::set<std::pair<int, std::string>>;

std::string text_of(const std::string& path) {
  std::ifstream in(std::string(SLIPWAY_SOURCE_DIR) + "/" + path, std::ios::binary);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Codes of_program() {
  Codes codes;
  for (const ProblemCode& row : problem_codes()) codes.emplace(row.status, row.code);
  return codes;
}

// Status and code of each match, in this order of groups.
Codes matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  Codes codes;
  for (std::sregex_iterator it(text.begin(), text.end(), expression), end; it != end; ++it) codes.emplace(std::stoi((*it)[1]), (*it)[2]);
  return codes;
}

TEST_CASE("the table of codes in the documentation is the program's", "[openapi][codes]") {
  CHECK(matches(text_of("docs/api-errors.md"), R"re(\n\| (\d{3}) \| `(\w+)` \|)re") == of_program());
  CHECK(of_program().size() == problem_codes().size());
}

TEST_CASE("every code and cause has a row, with the status of its code", "[openapi][codes]") {
  const Codes known = of_program();
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    const auto code = static_cast<Errc>(i);
    INFO(to_string(code));
    CHECK(known.count({http_status(code), std::string(to_string(code))}) == 1);
  }
  for (int i = 1; i <= static_cast<int>(Cause::no_block); ++i) {
    const auto cause = static_cast<Cause>(i);
    INFO(to_string(cause));
    const Problem problem = to_problem(make_error(Errc::conflict, cause, "what failed"));
    CHECK(problem.code == to_string(cause));
    CHECK(known.count({static_cast<int>(problem.status), problem.code}) == 1);
  }
}

TEST_CASE("what the HTTP server answers by itself stands in the table", "[openapi][codes]") {
  Codes found;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SLIPWAY_SOURCE_DIR) + "/common/http")) {
    if (entry.path().extension() == ".cpp") found.merge(matches(text_of("common/http/" + entry.path().filename().string()), R"re(problem\((\d{3}), "(\w+)")re"));
  }
  found.emplace(431, "headerTooLarge");  // chosen in an expression
  CHECK(found.size() >= 8);
  const Codes known = of_program();
  for (const auto& [status, code] : found) {
    INFO(status << " " << code);
    CHECK(known.count({status, code}) == 1);
  }
}

TEST_CASE("every example of an error has a code of the table, and no status is without one", "[openapi][codes]") {
  const auto document = nlohmann::json::parse(text_of("proto/openapi.json"));
  const Codes known = of_program();
  std::set<int> statuses;
  // Of the routes, and of the server on any path.
  for (const auto& responses : {document.at("components").at("responses"), document.at("x-slipway-any-path")}) {
    for (const auto& [name, response] : responses.items()) {
      INFO(name);
      const auto& example = response.at("content").at("application/problem+json").at("examples").at("default").at("value");
      const int status = example.at("status").get<int>();
      statuses.insert(status);
      CHECK(known.count({status, example.at("code").get<std::string>()}) == 1);
    }
  }
  for (const auto& [status, code] : known) {
    INFO(status);
    if (status == 202 || status == 504) continue;  // 202 is joinNode's own; a timeout of ours stands behind 503
    CHECK(statuses.count(status) == 1);
  }
}

}  // namespace
}  // namespace slipway::proto
