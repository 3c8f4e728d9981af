#include "coordinator/domain/name_pattern.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace slipway {
namespace {

TEST_CASE("a name pattern stands for the names of its kind and for no others", "[ledger][pools][token]") {
  CHECK(matches_pattern("gpu-*", "gpu-1"));
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("*-gpu-*", "rack1-gpu-7"));
  CHECK(matches_pattern("n?", "n1"));
  CHECK(matches_pattern("a*b*c", "aXbXbc"));
  CHECK_FALSE(matches_pattern("n?", "n"));
  CHECK_FALSE(matches_pattern("n?", "n12"));
  CHECK_FALSE(matches_pattern("gpu-*", "xgpu-1"));
  CHECK_FALSE(matches_pattern("a*b", "abc"));
  CHECK_FALSE(matches_pattern("", "a"));
  CHECK(matches_pattern("web-*", "web-1"));
  CHECK(matches_pattern("web-*", "web-"));
  CHECK(matches_pattern("web-*", "web-a-b.c"));
  CHECK_FALSE(matches_pattern("web-*", "web"));
  CHECK_FALSE(matches_pattern("web-*", "xweb-1"));
  CHECK(matches_pattern("*-db-*", "a-db-db-1"));
  CHECK(matches_pattern("a*b*c", "abbbc"));
  CHECK_FALSE(matches_pattern("a*b*c", "abbb"));
  CHECK(matches_pattern("node-1", "node-1"));
  CHECK_FALSE(matches_pattern("node-1", "node-12"));
  CHECK_FALSE(matches_pattern("", "n"));
  const std::string hostile(200, 'a');
  CHECK_FALSE(matches_pattern("a*a*a*a*a*a*a*a*a*b", hostile));  // in time that does not explode
}

}  // namespace
}  // namespace slipway
