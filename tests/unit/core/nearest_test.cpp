#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "common/core/nearest.hpp"

using namespace slipway;

TEST_CASE("the distance of two texts counts insertions, deletions, changes and swaps of neighbours", "[core][nearest]") {
  CHECK(edit_distance("", "", 3) == 0);
  CHECK(edit_distance("abc", "abc", 3) == 0);
  CHECK(edit_distance("abc", "ab", 3) == 1);
  CHECK(edit_distance("abc", "abcd", 3) == 1);
  CHECK(edit_distance("abc", "axc", 3) == 1);
  CHECK(edit_distance("nodeNmae", "nodeName", 3) == 1);  // two by Levenshtein alone
  CHECK(edit_distance("ca", "abc", 5) == 3);             // optimal string alignment: no edit within a swap
  CHECK(edit_distance("kitten", "sitting", 5) == 3);
}

TEST_CASE("a distance beyond the bound is one more than the bound", "[core][nearest]") {
  CHECK(edit_distance("kitten", "sitting", 2) == 3);
  CHECK(edit_distance("a", std::string(1000, 'b'), 2) == 3);
  CHECK(edit_distance("abc", "abd", 0) == 1);
  CHECK(edit_distance("abc", "abc", 0) == 0);
}

TEST_CASE("the name that was probably meant is found, and none where nobody meant one", "[core][nearest]") {
  static constexpr std::array<std::string_view, 6> k_known = {"nodeName", "nodeAddress", "role", "dataDir", "tokenFile", "logLevel"};
  CHECK(nearest_name("nodeNmae", k_known) == "nodeName");
  CHECK(nearest_name("nodename", k_known) == "nodeName");
  CHECK(nearest_name("NODE_NAME", k_known) == "nodeName");
  CHECK(nearest_name("rolle", k_known) == "role");
  CHECK(nearest_name("rol", k_known) == "role");
  CHECK(nearest_name("loglevel", k_known) == "logLevel");
  CHECK(nearest_name("tokenFiles", k_known) == "tokenFile");
  CHECK_FALSE(nearest_name("colour", k_known));
  CHECK_FALSE(nearest_name("x", k_known));
  CHECK_FALSE(nearest_name("", k_known));
  CHECK_FALSE(nearest_name("rx", k_known));
  CHECK_FALSE(nearest_name(std::string(81, 'r'), k_known));
  CHECK_FALSE(nearest_name("role", {}));
}

TEST_CASE("the beginning of one name stands for it, the beginning of two for none", "[core][nearest]") {
  static constexpr std::array<std::string_view, 4> k_known = {"warning", "nodeName", "nodeAddress", "info"};
  CHECK(nearest_name("warn", k_known) == "warning");
  CHECK(nearest_name("nodeaddr", k_known) == "nodeAddress");
  CHECK_FALSE(nearest_name("node", k_known));
  CHECK_FALSE(nearest_name("wa", k_known));
}

TEST_CASE("of two names as near the first is taken, a nearer one before both", "[core][nearest]") {
  static constexpr std::array<std::string_view, 3> k_known = {"band", "bend", "bind"};
  CHECK(nearest_name("bund", k_known) == "band");
  CHECK(nearest_name("binds", k_known) == "bind");
}
