#include "common/crypto/digest.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "common/core/text.hpp"
#include "common/crypto/random.hpp"

using namespace slipway;

TEST_CASE("digests give the published values", "[crypto]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST_CASE("a stream's digest is that of the whole, and the hasher starts anew", "[crypto]") {
  Sha256 hasher;
  hasher.update("a");
  hasher.update("");
  hasher.update("bc");
  CHECK(hasher.finish_hex() == sha256_hex("abc"));
  CHECK(hasher.finish() == sha256(""));
}

TEST_CASE("random values have the right shape and do not repeat", "[crypto]") {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto uuid = random_uuid();
    REQUIRE(uuid.size() == 36);
    CHECK(uuid[14] == '4');
    CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
    CHECK(seen.insert(uuid).second);
  }
  CHECK(random_bytes(0).empty());
  CHECK(random_bytes(33).size() == 33);
  const auto text = random_text(4000, "abc");
  CHECK(text.size() == 4000);
  for (const char letter : {'a', 'b', 'c'}) {
    const auto count = std::count(text.begin(), text.end(), letter);
    CHECK(count > 1100);
    CHECK(count < 1570);
  }
}
