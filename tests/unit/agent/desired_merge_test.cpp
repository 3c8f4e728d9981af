// What an agent makes of changes, and when it does not believe them.
#include "agent/domain/desired_merge.hpp"

#include <catch2/catch.hpp>

#include "agent/domain/desired_order.hpp"
#include "proto/nodes_mark.hpp"

using namespace slipway;

namespace {

proto::PeerNode peer(const std::string& name, std::uint64_t generation, const std::string& cidr) {
  return {name, "uid-" + name, generation, "node", "10.77.0.1", cidr};
}

proto::DesiredState state_of(std::vector<proto::PeerNode> nodes) {
  proto::DesiredState state;
  state.epoch = "e1";
  state.revision = 10;
  state.nodes = std::move(nodes);
  return state;
}

// From revision 10 to 11, right about the nodes that come out.
proto::DesiredDelta delta_to(const std::vector<proto::PeerNode>& result) {
  proto::DesiredDelta delta;
  delta.epoch = "e1";
  delta.from = 10;
  delta.to = 11;
  const proto::NodesMark mark = proto::mark_of(result);
  delta.node_count = mark.count;
  delta.nodes_hash = mark.hash();
  return delta;
}

struct Case {
  std::string what;
  std::vector<proto::PeerNode> held, up;
  std::vector<proto::GoneNode> del;
  std::vector<proto::PeerNode> result;
};

}  // namespace

TEST_CASE("changes are merged by uid and generation", "[feed]") {
  const auto a = peer("a", 1, "10.10.1.0/24"), b = peer("b", 1, "10.10.2.0/24"), c = peer("c", 1, "10.10.3.0/24");
  const auto moved = peer("a", 1, "10.10.9.0/24");
  const auto heir = peer("z", 1, "10.10.1.0/24");
  const auto newer = peer("a", 2, "10.10.8.0/24");
  const Case cases[] = {
      {"a node comes, in the order of names", {a, c}, {b}, {}, {a, b, c}},
      {"one changes", {a, b}, {moved}, {}, {moved, b}},
      {"one goes", {a, b}, {}, {{"uid-a", 1, {}}}, {b}},
      {"one that is not known goes", {b}, {}, {{"uid-a", 1, {}}}, {b}},
      {"another generation of it stays", {newer, b}, {}, {{"uid-a", 1, {}}}, {newer, b}},
      {"its block goes to another in the same answer", {a, b}, {heir}, {{"uid-a", 1, {"10.10.1.0/24"}}}, {b, heir}},
      {"gone and there again", {a}, {newer}, {{"uid-a", 1, {}}}, {newer}},
      {"an older generation does not come back", {newer}, {a}, {}, {newer}},
      {"the same again", {a, b}, {a}, {}, {a, b}},
      {"nothing about nodes", {a}, {}, {}, {a}},
  };
  for (const Case& one : cases) {
    INFO(one.what);
    proto::DesiredDelta delta = delta_to(one.result);
    delta.up = one.up;
    delta.del = one.del;
    const auto state = merged(state_of(one.held), delta);
    REQUIRE((state ? std::string() : state.error().message) == "");
    CHECK(state->nodes == one.result);
    CHECK(state->revision == 11);
    CHECK(state->epoch == "e1");
    CHECK(check_nodes(*state));
  }
}

TEST_CASE("what does not fit is refused", "[feed]") {
  const auto a = peer("a", 1, "10.10.1.0/24"), b = peer("b", 1, "10.10.2.0/24");
  proto::DesiredDelta delta = delta_to({a, b});
  delta.up = {b};
  REQUIRE(merged(state_of({a}), delta));
  SECTION("another epoch") { delta.epoch = "e2"; }
  SECTION("a gap") { delta.from = 9; }
  SECTION("backwards") { delta.to = 10; }
  SECTION("another number of nodes") { delta.node_count = 3; }
  SECTION("other nodes") { delta.nodes_hash = "0000000000000000"; }
  SECTION("a change is missing") { delta.up.clear(); }
  SECTION("one that should be gone is there") {
    const auto refused = merged(state_of({a, peer("c", 1, "10.10.3.0/24")}), delta);
    REQUIRE_FALSE(refused);
    return;
  }
  const auto refused = merged(state_of({a}), delta);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("the whole desired state is asked for") != std::string::npos);
}

TEST_CASE("parts of the settings are taken over one by one", "[feed]") {
  const auto a = peer("a", 1, "10.10.1.0/24");
  proto::DesiredState held = state_of({a});
  held.artifact_manifest = "old";
  held.pod_ranges = {"10.10.0.0/16"};
  held.overrides["a"].groups = {"fast"};
  proto::DesiredDelta delta = delta_to({a});
  delta.artifact_manifest = "";
  delta.pod_ranges = {"10.10.0.0/16", "10.20.0.0/16"};
  auto state = merged(held, delta).value();
  CHECK(state.artifact_manifest.empty());
  CHECK(state.pod_ranges.size() == 2);
  CHECK(state.overrides.at("a").groups == std::vector<std::string>{"fast"});
  delta.up = {a};
  CHECK(merged(held, delta)->overrides.empty());  // it has none any more
  delta.up_overrides["a"].groups = {"slow"};
  CHECK(merged(held, delta)->overrides.at("a").groups == std::vector<std::string>{"slow"});
}

TEST_CASE("a document that says which nodes it has must have them", "[feed]") {
  proto::DesiredState state = state_of({peer("a", 1, "10.10.1.0/24"), peer("b", 1, "10.10.2.0/24")});
  CHECK(check_nodes(state));  // says nothing
  const proto::NodesMark mark = proto::mark_of(state.nodes);
  state.node_count = mark.count;
  state.nodes_hash = mark.hash();
  CHECK(check_nodes(state));
  std::swap(state.nodes[0], state.nodes[1]);
  CHECK(check_nodes(state));
  state.nodes.pop_back();
  CHECK(check_nodes(state).error().code == Errc::corrupt);
}

TEST_CASE("the hash of the nodes is the one that is written down", "[feed]") {
  proto::PeerNode node{"node1", "7c9e6679-7425-40de-944b-e07fc1f90ae7", 1, "node", "10.77.0.11", "10.10.1.0/24"};
  const std::string known = proto::mark_of({node}).hash();
  CHECK(known == "ec083e17ac54dc31");  // agents of every version agree on it
  node.renew_before = "2026-11-23T02:10:00Z";
  CHECK(proto::mark_of({node}).hash() != known);
  CHECK(proto::mark_of({}).hash() == "0000000000000000");
}

TEST_CASE("a form that tells more is asked for as a whole, once it is understood", "[feed]") {
  proto::DesiredState held = state_of({});
  proto::DesiredDelta delta;
  delta.form = proto::k_desired_form;
  CHECK(tells_more(held, delta));  // by an older agent, or from an older coordinator
  held.form = proto::k_desired_form;
  CHECK_FALSE(tells_more(held, delta));
  delta.form = proto::k_desired_form + 1;  // no use to this agent
  CHECK_FALSE(tells_more(held, delta));
}

TEST_CASE("most nodes missing is told three times in a row before it is believed", "[feed]") {
  const auto a = peer("a", 1, ""), b = peer("b", 1, ""), c = peer("c", 1, ""), d = peer("d", 1, ""), e = peer("e", 1, "");
  CHECK_FALSE(loses_most({}, {}));
  CHECK_FALSE(loses_most({a, b, c, d}, {a, b}));
  CHECK(loses_most({a, b, c, d}, {a}));
  CHECK(loses_most({a, b, c, d}, {a, e}));  // others in their place are no comfort
  CHECK(loses_most({a}, {}));

  Doubt doubt;
  doubt = told_again(doubt, {"e2", 5});
  CHECK_FALSE(confirmed(doubt));
  doubt = told_again(doubt, {"e2", 5});
  CHECK_FALSE(confirmed(doubt));
  SECTION("a newer one of the same epoch confirms") {
    CHECK(confirmed(told_again(doubt, {"e2", 6})));
  }
  SECTION("an older one, or of another epoch, does not") {
    CHECK_FALSE(confirmed(told_again(doubt, {"e2", 4})));
    CHECK_FALSE(confirmed(told_again(doubt, {"e3", 5})));
  }
}
