#include "proto/routes.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "proto/codec.hpp"
#include "proto/problem.hpp"

namespace slipway::proto {
namespace {

TEST_CASE("paths lead to their operations", "[proto][routes]") {
  const RouteMatch node = match_route("GET", "/v1/nodes/node1");
  REQUIRE(node.route);
  CHECK(node.route->operation == "getNode");
  CHECK(node.parameters.at("name") == "node1");
  const RouteMatch content = match_route("GET", "/v1/artifacts/ab12/content");
  REQUIRE(content.route);
  CHECK(content.route->operation == "getArtifactContent");
  CHECK(content.parameters.at("sha256") == "ab12");
  CHECK(match_route("HEAD", "/v1/cluster").route->operation == "getCluster");
}

TEST_CASE("what is not listed is not there", "[proto][routes]") {
  for (const char* path : {"/", "", "/v1", "/v1/", "/v2/cluster", "/v1/cluster/", "/v1/nodes/",
                           "/v1/nodes/a/b", "//v1/cluster"}) {
    INFO(path);
    const RouteMatch match = match_route("GET", path);
    CHECK_FALSE(match.route);
    CHECK_FALSE(match.path_known);
  }
  const RouteMatch wrong_method = match_route("PATCH", "/v1/cluster");
  CHECK_FALSE(wrong_method.route);
  CHECK(wrong_method.path_known);
  CHECK_FALSE(match_route("HEAD", "/v1/join").route);
  CHECK(allowed_methods("/v1/join") == "POST");
  CHECK(allowed_methods("/v1/cluster") == "GET, HEAD, PUT");
  CHECK(allowed_methods("/v1/nodes/n1") == "GET, HEAD, DELETE");
  CHECK(allowed_methods("/v2/join").empty());
}

TEST_CASE("operations have names of their own and only what changes something has a body",
          "[proto][routes]") {
  std::set<std::string_view> names;
  for (const Route& route : routes()) {
    INFO(route.operation);
    CHECK(names.insert(route.operation).second);
    if (route.method == "GET" || route.method == "DELETE") CHECK(route.body_limit == 0);
    CHECK((route.success >= 200 && route.success < 300));
    const RouteMatch self = match_route(route.method, route.path);
    CHECK(self.route == &route);
  }
}

TEST_CASE("errors become problems and come back", "[proto][problem]") {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    const auto code = static_cast<Errc>(i);
    INFO(to_string(code));
    const Problem problem = to_problem(make_error(code, "what failed"));
    CHECK(problem.status == static_cast<std::uint64_t>(http_status(code)));
    CHECK(problem.code == to_string(code));
    // 503 stands for two codes: a caller that is told "unavailable" does the right thing for both.
    const Errc expected = code == Errc::canceled ? Errc::unavailable : code;
    CHECK(errc_of_status(http_status(code)) == expected);
  }
  CHECK(errc_of_status(412) == Errc::conflict);
  CHECK(from_problem(502, "<html>").message == "the answer has status 502");
  CHECK(from_problem(418, "").code == Errc::invalid);
}

TEST_CASE("what stands behind a refusal comes back by its code, not by its text", "[proto][problem]") {
  for (int i = 1; i <= static_cast<int>(Cause::no_block); ++i) {
    const auto cause = static_cast<Cause>(i);
    INFO(to_string(cause));
    CHECK(cause_from_string(to_string(cause)) == cause);
    const Problem sent = to_problem(make_error(Errc::conflict, cause, "some words"));
    CHECK(from_problem(static_cast<int>(sent.status), encode(sent)).cause == cause);
    CHECK(from_problem(500, encode(sent)).cause == Cause::none);  // the status is not the code's
  }
  for (const char* word : {"", "denied", "nobodyKnows"}) CHECK(cause_from_string(word) == Cause::none);
  const Problem denied = to_problem(make_error(Errc::denied, Cause::host_denied, "no"));
  CHECK(denied.code == "hostDenied");
  CHECK(denied.status == 403);
  CHECK(from_problem(403, encode(denied)).code == Errc::denied);
}

}  // namespace
}  // namespace slipway::proto
