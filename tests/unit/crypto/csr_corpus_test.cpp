// The gate alone against the corpus; the same over the real API: tests/integration/csr_corpus_test.cpp.
#include <catch2/catch.hpp>
#include <set>

#include "common/crypto/csr.hpp"
#include "tests/support/csr_corpus.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("every hostile request is refused by the gate, in safe words", "[crypto][csr]") {
  REQUIRE(hostile_csrs().size() >= 60);
  std::set<std::string> names;
  for (const HostileCsr& hostile : hostile_csrs()) {
    INFO(hostile.name);
    CHECK(names.insert(hostile.name).second);
    const auto parsed = parse_csr(hostile.text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid);
    const std::string& said = parsed.error().message;
    CHECK(said.size() < 400);
    CHECK(said.find("hunter2") == std::string::npos);
    for (const char c : said) {
      const bool plain = static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f;
      if (!plain) FAIL("a letter of a stranger in: " << said);
    }
  }
}

TEST_CASE("the requests that hostile ones are made from pass", "[crypto][csr]") {
  for (const std::string& der : good_csr_ders()) CHECK(parse_csr(csr_pem(der)));
}

TEST_CASE("requests of every kind of key are refused when cut at any byte", "[crypto][csr]") {
  for (const std::string& der : good_csr_ders()) {
    for (std::size_t size = 0; size < der.size(); ++size) {
      if (parse_csr(csr_pem(der.substr(0, size)))) FAIL("accepted, cut at " << size);
    }
    const std::string pem = csr_pem(der);
    for (std::size_t size = 0; size + 1 < pem.size(); ++size) {  // without the last newline it is whole
      if (parse_csr(pem.substr(0, size))) FAIL("accepted, its text cut at " << size);
    }
  }
}
