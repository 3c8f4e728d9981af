#include <catch2/catch.hpp>

#include "coordinator/domain/probe_peers.hpp"
#include "coordinator/service/probe_round.hpp"

namespace slipway {
namespace {

constexpr const char* k_id = "0123456789abcdef";

ProbeMember member(int number) {
  const std::string n = std::to_string(number);
  return {"uid" + n,
          "n" + n,
          true,
          "0.1.0",
          "",
          {*IpAddress::parse("10.77.0." + n)},
          {*Cidr::parse("10.10." + n + ".0/24"), *Cidr::parse("fd00:" + n + "::/64")}};
}

proto::ProbeOffer offer_of(int number) {
  return {k_id, {"10.10." + std::to_string(number) + ".1"}, {"10.10." + std::to_string(number) + ".5"}, ""};
}
proto::ProbeLoss loss(int to, const std::string& what, const std::string& address) {
  return {"n" + std::to_string(to), what, address, 0, "silent", 0};
}

struct Rig {
  SteadyTime now{};
  ProbeRound round;

  explicit Rig(std::vector<ProbeMember> members = {member(1), member(2), member(3)}) {
    begin(std::move(members));
  }
  void begin(std::vector<ProbeMember> members, const char* id = k_id) {
    round.start(id, std::move(members), {}, now, WallTime{});
  }
  Status offer(int number) { return round.offer("uid" + std::to_string(number), offer_of(number), now); }
  Status offer(int number, proto::ProbeOffer offer) {
    return round.offer("uid" + std::to_string(number), offer, now);
  }
  Result<std::optional<proto::ProbeTargets>> targets(int number) {
    return round.targets("uid" + std::to_string(number), k_id, now);
  }
  Status report(int number, std::vector<proto::ProbeLoss> losses = {}) {
    return round.report("uid" + std::to_string(number), {k_id, 9, std::move(losses), ""}, now);
  }
  proto::NetworkProbe view() { return *round.view(now); }
  void offer_all() {
    for (const int number : {1, 2, 3}) REQUIRE(offer(number));
  }
};

template <class T>
void check_error(const Result<T>& result, Errc code, const std::string& words) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == code);
  CHECK_THAT(result.error().message, Catch::Contains(words));
}

TEST_CASE("probe round: from the first agent that is told to the result", "[probe-round]") {
  Rig rig;
  CHECK(rig.round.under_way(rig.now));
  CHECK(rig.round.news_for("uid1", "none", rig.now) == k_id);
  CHECK(rig.round.news_for("uid1", k_id, rig.now).empty());
  CHECK(rig.round.news_for("stranger", "none", rig.now).empty());
  REQUIRE(rig.offer(1));
  REQUIRE(rig.offer(2));
  CHECK_FALSE(rig.targets(1)->has_value());
  CHECK(rig.view().state == "gathering");
  REQUIRE(rig.offer(3));
  CHECK(rig.view().state == "probing");
  CHECK(rig.round.news_for("uid1", "none", rig.now).empty());  // too late
  const auto targets = *rig.targets(1);
  REQUIRE(targets);
  CHECK(targets->targets ==
        std::vector<proto::ProbeTarget>{{"n2", {"10.77.0.2"}, {"10.10.2.1"}, {"10.10.2.5"}},
                                        {"n3", {"10.77.0.3"}, {"10.10.3.1"}, {"10.10.3.5"}}});
  REQUIRE(rig.report(1));
  REQUIRE(rig.report(2, {loss(3, "pod", "10.10.3.5")}));
  REQUIRE(rig.report(2));  // an answer was lost
  CHECK_FALSE(rig.round.done(rig.now));
  REQUIRE(rig.report(3));
  const auto view = rig.view();
  CHECK(view.state == "done");
  CHECK_FALSE(view.ok);
  CHECK(view.reported == 3);
  CHECK(view.pairs == 6);
  CHECK(view.pings == 27);
  REQUIRE(view.failed.size() == 1);
  CHECK(view.failed[0].from == "n2");
  CHECK(view.failed[0].to == "n3");
  CHECK(view.failed[0].what == "pod");
  CHECK_FALSE(view.failed[0].cause.empty());
  CHECK_FALSE(view.failed[0].cure.empty());
  CHECK(view.silent.empty());
  CHECK_FALSE(view.sampled);
  check_error(rig.report(1), Errc::conflict, "is over");
}

TEST_CASE("probe round: all answer", "[probe-round]") {
  Rig rig;
  rig.offer_all();
  for (const int number : {1, 2, 3}) REQUIRE(rig.report(number));
  CHECK(rig.view().ok);
  CHECK(rig.view().failing == 0);
  Rig alone({member(1)});
  REQUIRE(alone.offer(1));
  CHECK((*alone.targets(1))->targets.empty());
  REQUIRE(alone.report(1));
  CHECK(alone.view().ok);
  CHECK(alone.view().pairs == 0);
}

TEST_CASE("probe round: who is silent does not hold it up, and is named with the reason", "[probe-round]") {
  std::vector<ProbeMember> members{member(1), member(2), member(3), member(4), member(5)};
  members[4].heard = false;
  Rig rig(members);
  for (const char* uid : {"uid1", "uid2", "uid3"}) CHECK(rig.round.news_for(uid, "none", rig.now) == k_id);
  REQUIRE(rig.offer(1));
  REQUIRE(rig.offer(2));
  rig.now = rig.round.phase_ends() - Millis(1);
  CHECK(rig.view().state == "gathering");
  rig.now += Millis(1);
  CHECK(rig.view().state == "probing");
  check_error(rig.offer(3), Errc::conflict, "has begun without this node");
  REQUIRE(rig.offer(1));  // its answer was lost
  check_error(rig.targets(3), Errc::conflict, "no part");
  REQUIRE(rig.report(1));
  rig.now = rig.round.phase_ends();
  const auto view = rig.view();
  CHECK(view.state == "done");
  CHECK(view.ok);
  CHECK(view.reported == 1);
  std::vector<std::string> reasons;
  for (const auto& node : view.silent) reasons.push_back(node.node + ": " + node.reason);
  CHECK(reasons == std::vector<std::string>{
                       "n2: its agent began and brought no results in time",
                       "n3: its agent was told and did not answer in time",
                       "n4: its agent (0.1.0) did not come for it: older than this command, or busy",
                       "n5: its agent is not in contact"});
}

TEST_CASE("probe round: nobody takes part", "[probe-round]") {
  Rig rig;
  rig.now = rig.round.phase_ends();
  CHECK(rig.view().state == "done");
  CHECK_FALSE(rig.view().ok);
  CHECK(rig.view().silent.size() == 3);
  Rig empty{std::vector<ProbeMember>{}};
  empty.now = empty.round.phase_ends();
  CHECK(empty.view().state == "done");
  CHECK_FALSE(ProbeRound().view(SteadyTime{}));
}

TEST_CASE("probe round: the next one forgets the last", "[probe-round]") {
  Rig rig;
  rig.offer_all();
  REQUIRE(rig.report(1, {loss(2, "node", "10.77.0.2")}));
  rig.now = rig.round.phase_ends();
  CHECK(rig.view().failing == 1);
  CHECK_FALSE(rig.round.under_way(rig.now));
  rig.begin({member(1), member(2)}, "another");
  CHECK(rig.view().failing == 0);
  CHECK(rig.view().nodes == 2);
  CHECK(rig.view().failed.empty());
  check_error(rig.offer(1), Errc::conflict, "is over");
  CHECK(rig.round.news_for("uid1", k_id, rig.now) == "another");
}

TEST_CASE("probe round: nobody can have strangers pinged", "[probe-round]") {
  Rig rig;
  const auto refused = [&](proto::ProbeOffer offer, const std::string& words) {
    check_error(rig.offer(1, std::move(offer)), Errc::invalid, words);
  };
  refused({k_id, {"10.10.2.1"}, {}, ""}, "/bridges/0 is not in this node's own pod ranges");
  refused({k_id, {}, {"10.10.1.5", "192.0.2.1"}, ""}, "/pods/1 is not in this node's own pod ranges");
  refused({k_id, {"here"}, {}, ""}, "/bridges/0");
  refused({k_id, {"10.10.1.1", "fd00:1::1", "10.10.1.2"}, {}, ""}, "/bridges has more than 2");
  refused({k_id, {}, std::vector<std::string>(5, "10.10.1.5"), ""}, "/pods has more than 4");
  check_error(rig.round.offer("stranger", offer_of(1), rig.now), Errc::conflict, "is over");
  REQUIRE(
      rig.offer(1, {k_id, {"10.10.1.1", "fd00:1::1"}, {"fd00:1::5"}, std::string(1000, 'x') + "\x1b[2J"}));
}

TEST_CASE("probe round: a report tells of what the node was asked, and of nothing else", "[probe-round]") {
  Rig rig;
  check_error(rig.report(1), Errc::conflict, "no part");
  REQUIRE(rig.offer(1));
  check_error(rig.report(1), Errc::conflict, "has not begun");
  REQUIRE(rig.offer(2));
  REQUIRE(rig.offer(3));
  const auto refused = [&](std::vector<proto::ProbeLoss> losses, const std::string& words) {
    check_error(rig.report(1, std::move(losses)), Errc::invalid, words);
  };
  refused({loss(9, "node", "10.77.0.9")}, "is no node of this probe");
  refused({loss(1, "node", "10.77.0.1")}, "was not asked for");
  refused({loss(2, "node", "10.77.0.3")}, "was not asked for");
  refused({loss(2, "pod", "10.10.2.77")}, "was not asked for");
  refused({loss(2, "host", "10.77.0.2")}, "/losses/0/what");
  refused({loss(2, "node", "there")}, "/losses/0/address");
  refused({loss(2, "node", "10.77.0.2"), loss(2, "node", "10.77.0.2")}, "stands twice");
  proto::ProbeLoss huge = loss(2, "node", "10.77.0.2");
  huge.bytes = 70'000;
  refused({huge}, "more than an IP packet has");
  refused(std::vector<proto::ProbeLoss>(13, loss(2, "node", "10.77.0.2")),
          "more entries than there was to lose");
  REQUIRE(rig.report(1, {loss(2, "node", "10.77.0.2")}));
}

TEST_CASE("probe round: what was not tried is noted", "[probe-round]") {
  Rig rig;
  proto::NetworkSettings external;
  external.backend = "external";
  std::vector<ProbeMember> members;
  for (int i = 1; i <= 30; ++i) members.push_back(member(i));
  rig.round.start(k_id, members, external, rig.now, WallTime{});
  for (int i = 1; i <= 30; ++i) REQUIRE(rig.offer(i, {k_id, {}, {}, "no bridge\n\x1b[2J"}));
  rig.now = rig.round.phase_ends();
  const auto notes = rig.view().notes;
  REQUIRE(notes.size() == 21);
  CHECK_THAT(notes.front(), Catch::Contains("backend external"));
  CHECK(notes[1] == "n1: no bridge  [2J");
  CHECK(notes.back() == "and 11 more nodes have such notes");
}

TEST_CASE("probe round: of thousands of nodes each pings some, and the answer says so", "[probe-round]") {
  std::vector<ProbeMember> members;
  for (int i = 0; i < 5000; ++i) {
    const std::string n = std::to_string(i);
    members.push_back(
        {"uid" + n, "n" + n, true, "", "", {IpAddress::v4(0x0a4d0000U + static_cast<std::uint32_t>(i))}, {}});
  }
  Rig rig(std::move(members));
  for (int i = 0; i < 5000; ++i) REQUIRE(rig.offer(i, {k_id, {}, {}, ""}));
  std::size_t told = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto targets = **rig.targets(i);
    std::vector<proto::ProbeLoss> losses;
    for (const auto& target : targets.targets)
      losses.push_back({target.node, "node", target.addresses.at(0), 0, "silent", 0});
    told += losses.size();
    REQUIRE(rig.report(i, std::move(losses)));
  }
  CHECK(told == 320'000);
  const auto view = rig.view();
  CHECK(view.state == "done");
  CHECK(view.sampled);
  CHECK(view.pairs == 320'000);
  CHECK(view.failed.size() == 1000);  // what is kept and told is bounded
  CHECK(view.failing == 200'000);
  CHECK(view.silent.size() == 1000);
}

}  // namespace
}  // namespace slipway
