#include "common/core/text.hpp"

#include <catch2/catch.hpp>

#include "common/core/secret.hpp"
#include "common/core/time.hpp"
#include "common/log/log.hpp"

using namespace slipway;

TEST_CASE("hex, base64 and base32", "[core][text]") {
  const std::string bytes("\x00\xff\x10z", 4);
  REQUIRE(to_hex(bytes) == "00ff107a");
  REQUIRE(from_hex("00FF107a") == bytes);
  REQUIRE_FALSE(from_hex("0"));
  REQUIRE_FALSE(from_hex("0g"));
  // RFC 4648 section 10
  REQUIRE(to_base64("fooba") == "Zm9vYmE=");
  REQUIRE(from_base64("Zm9vYg==") == "foob");
  REQUIRE(from_base64("") == "");
  for (const char* bad : {"Zm9vYg=", "Zm9vYg", "Zm9v Yg==", "Zm9vYh==", "=m9v", "Zg==Zg=="}) {
    INFO(bad);
    REQUIRE_FALSE(from_base64(bad));
  }
  REQUIRE(to_base32("foobar") == "mzxw6ytboi");
  REQUIRE(to_base32(std::string(20, '\xff')).size() == 32);
}

TEST_CASE("numbers and names", "[core][text]") {
  REQUIRE(parse_u64("42") == 42u);
  REQUIRE_FALSE(parse_u64("42x"));
  REQUIRE_FALSE(parse_u64("-1"));
  REQUIRE_FALSE(parse_u64(""));
  REQUIRE_FALSE(parse_u64("18446744073709551616"));
  REQUIRE_FALSE(parse_u64("300", 255));
  REQUIRE(is_dns_subdomain("node-1.rack2"));
  for (const char* bad : {"", "-a", "a-", "A", "a..b", "a_b", "a b", "a."}) {
    INFO(bad);
    REQUIRE_FALSE(is_dns_subdomain(bad));
  }
  REQUIRE_FALSE(is_dns_label(std::string(64, 'a')));
  REQUIRE(trim(" \t a b\n") == "a b");
  REQUIRE(split("a,,b", ',').size() == 3);
  REQUIRE(join({"a", "b"}, ", ") == "a, b");
}

TEST_CASE("times and durations", "[core][time]") {
  const WallTime time = *parse_rfc3339("2026-11-22T12:34:56Z");
  REQUIRE(to_rfc3339(time) == "2026-11-22T12:34:56Z");
  REQUIRE(parse_rfc3339("2026-11-22T12:34:56.789Z") == time);
  for (const char* bad : {"", "2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T12:34:56+01:00"}) {
    INFO(bad);
    REQUIRE_FALSE(parse_rfc3339(bad));
  }
  REQUIRE(parse_duration("1h30m") == Seconds(5400));
  REQUIRE(parse_duration("7d") == Seconds(604800));
  REQUIRE_FALSE(parse_duration("10"));
  REQUIRE_FALSE(parse_duration("h"));
  REQUIRE_FALSE(parse_duration("-1h"));
  REQUIRE(to_duration_text(Seconds(5400)) == "1h30m");
  REQUIRE(to_age_text(Seconds(90061)) == "1d1h");
  REQUIRE(to_age_text(Seconds(-5)) == "0s");
}

TEST_CASE("a log line cannot be forged by a value", "[core][log]") {
  const std::string line = log::format_line("join refused", {{"node", "n1\nroot logged in"}, {"uses", 3}, {"ok", false}});
  REQUIRE(line == "join refused node=\"n1\\x0aroot logged in\" uses=3 ok=false");
}

TEST_CASE("secrets compare and move", "[core][secret]") {
  REQUIRE(equal_constant_time("abc", "abc"));
  REQUIRE_FALSE(equal_constant_time("abc", "abd"));
  REQUIRE_FALSE(equal_constant_time("abc", "ab"));
  Secret first("hush");
  const Secret second(std::move(first));
  REQUIRE(second.reveal() == "hush");
  REQUIRE(first.empty());  // NOLINT(bugprone-use-after-move): a moved-from secret is empty, which is what is checked
}
