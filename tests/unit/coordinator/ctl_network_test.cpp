#include <catch2/catch.hpp>

#include "proto/network_probe.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

proto::NetworkProbe probe(const std::string& state, std::uint64_t reported = 3) {
  proto::NetworkProbe probe;
  probe.id = "0123456789abcdef";
  probe.state = state;
  probe.nodes = 3;
  probe.reported = reported;
  if (state != "done") return probe;
  probe.pairs = 6;
  probe.pings = 48;
  probe.ok = reported > 0;
  return probe;
}

proto::NetworkProbe broken() {
  proto::NetworkProbe one = probe("done", 2);
  one.ok = false;
  one.failing = 1;
  one.failed = {
      {"n1", "n2", "mtu", "IPv4", "10.10.2.1", 1450, "too-big", "the way takes at most 1400", "mtu: 1350"}};
  one.silent = {{"n3", "its agent is not in contact", "on n3: systemctl status slipway-agent"}};
  one.notes = {"n1: no \x1b[2Jbridge"};
  return one;
}

TEST_CASE("health network starts a probe and waits for its end", "[ctl][network-probe]") {
  FakeConnection connection;
  connection.on("POST /v1/network/probe", 200, proto::encode(probe("gathering", 0)));
  connection.on("GET /v1/network/probe?wait=5", 200, proto::encode(probe("done")));
  const Run good = run(connection, HealthNetwork{});
  CHECK(good.code == k_ok);
  CHECK(good.out == "3 of 3 nodes took part, 6 pairs, 48 pings: all answered\n");
  CHECK(good.err == "asking 3 nodes where their pods are\n");
  connection.on("GET /v1/network/probe?wait=5", 200, proto::encode(probe("probing", 1)));
  const Run never = run(connection, HealthNetwork{});
  CHECK(never.code == k_timed_out);
  CHECK(never.err.find("nodes ping each other: 1 of 3 are done\n") != std::string::npos);
  CHECK(never.err.find("--last") != std::string::npos);
}

TEST_CASE("health network names each pair that fails with cause and cure, and exits with 1",
          "[ctl][network-probe]") {
  FakeConnection connection;
  connection.on("POST /v1/network/probe", 200, proto::encode(broken()));
  const Run bad = run(connection, HealthNetwork{});
  CHECK(bad.code == k_failed);
  CHECK(bad.out ==
        "2 of 3 nodes took part, 6 pairs, 48 pings: 1 failed\n\n"
        "FROM  TO  WHAT      LIKELY CAUSE                CURE\n"
        "n1    n2  mtu IPv4  the way takes at most 1400  mtu: 1350\n\n"
        "TOOK NO PART  WHY                          CURE\n"
        "n3            its agent is not in contact  on n3: systemctl status slipway-agent\n\n"
        "note: n1: no ?[2Jbridge\n");
  const Run wide = run(connection, HealthNetwork{}, Format::wide);
  CHECK(wide.out.find("10.10.2.1  1450   too-big") != std::string::npos);
  const Run json = run(connection, HealthNetwork{}, Format::json);
  CHECK(json.code == k_failed);
  CHECK(proto::decode<proto::NetworkProbe>(json.out)->failed == broken().failed);
  proto::NetworkProbe large = broken();
  large.failing = 1200;
  large.sampled = true;
  connection.on("POST /v1/network/probe", 200, proto::encode(large));
  const Run many = run(connection, HealthNetwork{});
  CHECK(many.out.find("and 1199 more\n") != std::string::npos);
  CHECK(many.out.find("note: each node pinged some of the others") != std::string::npos);
}

TEST_CASE("health network when nobody takes part, and without leave", "[ctl][network-probe]") {
  FakeConnection connection;
  connection.on("POST /v1/network/probe", 200, proto::encode(probe("done", 0)));
  const Run nobody = run(connection, HealthNetwork{});
  CHECK(nobody.code == k_failed);
  CHECK(nobody.out == "0 of 3 nodes took part: nothing is known of the network\n");
  CHECK(nobody.err.find("slipwayctl node list") != std::string::npos);
  proto::NetworkProbe alone = probe("done", 1);
  alone.nodes = 1;
  alone.pairs = 0;
  connection.on("POST /v1/network/probe", 200, proto::encode(alone));
  const Run single = run(connection, HealthNetwork{});
  CHECK(single.code == k_ok);
  CHECK(single.out == "1 of 1 node took part: there is no pair\n");
  connection.on("POST /v1/network/probe", 403, problem(Errc::denied, "operators only"));
  CHECK(run(connection, HealthNetwork{}).code == k_denied);
  // The coordinator is started anew meanwhile.
  connection.on("POST /v1/network/probe", 200, proto::encode(probe("probing", 1)));
  connection.on("GET /v1/network/probe?wait=5", 404, problem(Errc::not_found, "no probe was made"));
  const Run lost = run(connection, HealthNetwork{});
  CHECK(lost.code == k_failed);
  CHECK(lost.err.find("waiting for the probe of the network: no probe was made") != std::string::npos);
}

TEST_CASE("health network --last only reads", "[ctl][network-probe]") {
  FakeConnection connection;
  connection.on("GET /v1/network/probe", 200, proto::encode(broken()));
  CHECK(run(connection, HealthNetwork{true}).code == k_failed);
  REQUIRE(connection.requests.size() == 1);
  connection.on("GET /v1/network/probe", 200, proto::encode(probe("probing", 2)));
  const Run running = run(connection, HealthNetwork{true});
  CHECK(running.out == "2 of 3 nodes took part so far: probing\n");
  CHECK(running.code == k_failed);
}

}  // namespace
}  // namespace slipway::ctl
