#include "common/core/ip.hpp"

#include <catch2/catch.hpp>

using slipway::Cidr;
using slipway::IpAddress;

TEST_CASE("addresses are parsed strictly", "[core][ip]") {
  REQUIRE(IpAddress::parse("10.1.2.3")->to_string() == "10.1.2.3");
  REQUIRE(IpAddress::parse("fd00::1")->to_string() == "fd00::1");
  for (const char* bad : {"", "10.1.2", "10.1.2.3.4", "010.1.2.3", "10.1.2.256", " 10.1.2.3", "fd00::1%eth0", "::ffff:10.0.0.1", "node1"}) {
    INFO(bad);
    REQUIRE_FALSE(IpAddress::parse(bad));
  }
  REQUIRE_FALSE(IpAddress::parse(std::string("10.1.2.3\0x", 10)));
}

TEST_CASE("address arithmetic carries over bytes", "[core][ip]") {
  REQUIRE(IpAddress::v4(0x0a0a00ff).plus(1).to_string() == "10.10.1.0");
  REQUIRE(IpAddress::parse("fd00::ffff:ffff")->plus(1).to_string() == "fd00::1:0:0");
  REQUIRE(IpAddress::v4(0x0a000001).to_u32() == 0x0a000001);
}

TEST_CASE("a CIDR block has no host bits", "[core][ip]") {
  REQUIRE(Cidr::parse("10.10.0.0/16")->address_count() == 65536);
  REQUIRE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
  const auto wrong = Cidr::parse("10.10.3.0/16");
  REQUIRE_FALSE(wrong);
  REQUIRE(wrong.error().message == "10.10.3.0/16 has host bits set: did you mean 10.10.0.0/16");
  for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "/8"}) {
    INFO(bad);
    REQUIRE_FALSE(Cidr::parse(bad));
  }
}

TEST_CASE("blocks contain and overlap", "[core][ip]") {
  const Cidr wide = *Cidr::parse("10.0.0.0/8");
  const Cidr inner = *Cidr::parse("10.10.0.0/16");
  const Cidr other = *Cidr::parse("11.0.0.0/8");
  REQUIRE(wide.contains(inner));
  REQUIRE_FALSE(inner.contains(wide));
  REQUIRE(inner.overlaps(wide));
  REQUIRE_FALSE(other.overlaps(wide));
  REQUIRE_FALSE(wide.contains(*IpAddress::parse("fd00::1")));
  REQUIRE(Cidr::parse("fd00::/8")->contains(*IpAddress::parse("fdff::1")));
}

TEST_CASE("kinds of addresses", "[core][ip]") {
  REQUIRE(IpAddress::parse("127.9.9.9")->is_loopback());
  REQUIRE(IpAddress::parse("::1")->is_loopback());
  REQUIRE(IpAddress::parse("169.254.1.1")->is_link_local());
  REQUIRE(IpAddress::parse("fe80::1")->is_link_local());
  REQUIRE(IpAddress::parse("224.0.0.1")->is_multicast());
  REQUIRE(IpAddress().is_unspecified());
  REQUIRE_FALSE(IpAddress::parse("10.0.0.1")->is_loopback());
}
