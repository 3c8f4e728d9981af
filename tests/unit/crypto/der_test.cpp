#include "common/crypto/der.hpp"

#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "common/crypto/name.hpp"
#include "common/crypto/pem.hpp"

using namespace slipway;

namespace {

std::string hex(std::string_view text) {
  return from_hex(text).value();
}

std::optional<WallTime> time_of(std::uint8_t tag, std::string_view text) {
  return der::read_time({tag, text, {}});
}

}  // namespace

TEST_CASE("lengths beyond 64 KiB are written in three octets and read again", "[crypto][der]") {
  for (const std::size_t size : {0xffffU, 0x10000U, 0x12345U}) {
    const std::string content(size, 'x');
    const auto whole = der::item(der::k_octet_string, content);
    const auto read = der::only(whole, der::k_octet_string);
    REQUIRE(read);
    CHECK(read->content == content);
  }
}

TEST_CASE("the reader takes only minimal, definite lengths that fit", "[crypto]") {
  CHECK(der::only(hex("0401aa"), der::k_octet_string));
  CHECK(der::only(hex("0400"), der::k_octet_string));
  for (const char* bad : {"", "04", "0402aa", "0401aabb", "048101aa", "04820001aa", "0480aa0000", "1f0101aa",
                          "0484ffffffff", "0485000000000001", "04ffaa"}) {
    INFO(bad);
    CHECK_FALSE(der::only(hex(bad), der::k_octet_string));
  }
  CHECK(der::only(hex("048180" + std::string(256, '0')), der::k_octet_string));
}

TEST_CASE("what the writer writes the reader reads", "[crypto]") {
  for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 65535U}) {
    const std::string content(size, 'x');
    const auto bytes = der::item(der::k_octet_string, content);
    const auto found = der::only(bytes, der::k_octet_string);
    REQUIRE(found);
    CHECK(found->content == content);
  }
  CHECK(to_hex(der::unsigned_integer(hex("80"))) == "02020080");
  CHECK(to_hex(der::unsigned_integer(hex("007f"))) == "02017f");
}

TEST_CASE("integers must be positive and minimal", "[crypto]") {
  const auto value = [](std::string_view text) {
    const auto bytes = hex(text);
    const auto item = der::only(bytes, der::k_integer);
    return item && der::positive_integer(*item).has_value();
  };
  CHECK(value("02017f"));
  CHECK(value("02020080"));
  CHECK_FALSE(value("020100"));
  CHECK_FALSE(value("0202007f"));
  CHECK_FALSE(value("020180"));
  CHECK_FALSE(value("0200"));
}

TEST_CASE("dates: both forms, the century rule, nothing sloppy", "[crypto]") {
  CHECK(to_rfc3339(*time_of(der::k_utc_time, "491231235959Z")) == "2049-12-31T23:59:59Z");
  CHECK(to_rfc3339(*time_of(der::k_utc_time, "500101000000Z")) == "1950-01-01T00:00:00Z");
  CHECK(to_rfc3339(*time_of(der::k_generalized_time, "20500101000000Z")) == "2050-01-01T00:00:00Z");
  for (const char* bad : {"491231235959", "4912312359Z", "491331235959Z", "490230000000Z", "490101240000Z",
                          "49010100000+Z", "490101000060Z", ""}) {
    CHECK_FALSE(time_of(der::k_utc_time, bad));
  }
  CHECK_FALSE(time_of(der::k_generalized_time, "20500101000000.5Z"));
  for (const char* text : {"2026-11-22T12:00:00Z", "2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z"}) {
    const auto bytes = der::time(*parse_rfc3339(text));
    der::Reader reader(bytes);
    CHECK(to_rfc3339(*der::read_time(*reader.next())) == text);
  }
}

TEST_CASE("object identifiers as text", "[crypto]") {
  CHECK(der::oid_text(hex("550403")) == "2.5.4.3");
  CHECK(der::oid_text(hex("2a8648ce3d030107")) == "1.2.840.10045.3.1.7");
  CHECK(der::oid_text(hex("8837")) == "2.999");
  CHECK(der::oid_text(hex("5584")) == "?");
  CHECK(der::oid_text("") == "?");
  CHECK(der::oid_text(std::string(20, '\xff') + "\x01") == "?");
}

TEST_CASE("names read as they were written, and show no control characters", "[crypto]") {
  const auto read = read_name(write_name("system:nodes", "system:node:a"));
  REQUIRE(read);
  CHECK(name_text(*read) == "O=system:nodes,CN=system:node:a");
  CHECK(read_name(write_name("", ""))->empty());
  const auto nasty = read_name(write_name("", "a\nb,CN=root\xc3\xa9"));
  REQUIRE(nasty);
  CHECK(name_text(*nasty) == "CN=a\\x0ab\\x2cCN\\x3droot\\xc3\\xa9");
  CHECK_FALSE(nasty->at(0).plain);
  // Two attributes in one RDN.
  const auto attribute = hex("300806035504030c0161");
  CHECK_FALSE(read_name(der::item(der::k_sequence, der::item(der::k_set, {attribute, attribute}))));
}

TEST_CASE("PEM is read strictly", "[crypto]") {
  const auto pem = pem_encode("THING", std::string(100, 'x'));
  CHECK(pem_decode_one(pem, "THING").value() == std::string(100, 'x'));
  CHECK(pem_decode_one("\n " + pem + "\r\n", "THING"));
  CHECK(pem_decode(pem + pem, "THING")->size() == 2);
  CHECK_FALSE(pem_decode_one(pem + pem, "THING"));
  CHECK_FALSE(pem_decode_one(pem, "OTHER"));
  CHECK_FALSE(pem_decode_one("hello\n" + pem, "THING"));
  CHECK_FALSE(pem_decode_one(pem + "hello", "THING"));
  CHECK_FALSE(pem_decode_one("", "THING"));
  CHECK_FALSE(pem_decode_one("-----BEGIN THING-----\n-----END THING-----\n", "THING"));
  CHECK_FALSE(pem_decode_one("-----BEGIN THING-----\nProc-Type: 4\n\nQUJD\n-----END THING-----\n", "THING"));
  CHECK_FALSE(pem_decode_one("-----BEGIN THING-----\nQUJ\n-----END THING-----\n", "THING"));
  CHECK_FALSE(pem_decode_one("-----BEGIN THING-----\nQUJD\n-----END OTHER-----\n", "THING"));
}
