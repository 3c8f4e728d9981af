// Cordon and the rotation of certificates, as operations.
#include <catch2/catch.hpp>

#include "coordinator/domain/desired.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;

struct Cluster {
  Cluster() {
    must(demo_init());
    must(CreateToken{demo_token("abc123", 9)});
    for (int i = 1; i <= 2; ++i) {
      const std::string name = "n" + std::to_string(i);
      must(demo_admit(state, demo_request(name, 10 + i, "key" + name), "uid-" + name, "s" + name));
    }
  }
  Outcome must(const Operation& op) {
    changes.clear();
    const auto outcome = apply(state, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    CHECK(outcome->changed == !changes.empty());
    return *outcome;
  }
  // As it comes back from the store.
  Node stored(const std::string& name) const { return std::get<Node>(*decode_record(encode_record(*state.node(name)))); }
  // New certificates that begin at `from`, for these usages of n1.
  Outcome renew(WallTime from, std::vector<CertUsage> usages, const std::string& tag) {
    RecordRenewal op{"uid-n1", 1, {}, {}};
    op.presented_serial = state.node("n1")->certificates.find(CertUsage::agent)->hex();
    for (const auto& issued : demo_certificates(demo_request("n1", 11, tag), "uid-n1", 1, tag)) {
      if (std::find(usages.begin(), usages.end(), issued.record.usage) == usages.end()) continue;
      op.certificates.push_back(issued);
      op.certificates.back().record.not_before = from;
    }
    return must(op);
  }

  State state;
  std::vector<Change> changes;
};

std::optional<std::string> told(const State& state, const std::string& name) {
  for (const auto& node : desired_state(state).nodes) {
    if (node.name == name) return node.renew_before;
  }
  return "no such node";
}

TEST_CASE("cordon is a wish that is kept until it is taken back", "[nodes]") {
  Cluster c;
  const std::uint64_t desired = c.state.desired_revision();
  CHECK_FALSE(c.must(CordonNode{"n1", false}).changed);
  CHECK(c.must(CordonNode{"n1", true}).node->unschedulable);
  CHECK_FALSE(c.must(CordonNode{"n1", true}).changed);
  CHECK(c.stored("n1").unschedulable);
  CHECK_FALSE(c.state.node("n2")->unschedulable);
  CHECK(c.state.desired_revision() == desired);  // no agent has to hear of it
  CHECK_FALSE(c.must(CordonNode{"n1", false}).node->unschedulable);
  CHECK(apply(c.state, CordonNode{"x", true}, c.changes).error().code == Errc::not_found);
}

TEST_CASE("certificates from before the mark are renewed, and then the mark goes", "[nodes]") {
  Cluster c;
  const WallTime mark = k_start + Seconds(1000);
  CHECK_FALSE(told(c.state, "n1"));
  const Outcome marked = c.must(RotateCertificates{"n1", mark});
  CHECK(marked.count == 1);
  CHECK(told(c.state, "n1") == to_rfc3339(mark));
  CHECK_FALSE(told(c.state, "n2"));
  CHECK(c.stored("n1").renew_before == mark);
  CHECK(c.state.desired_revision() == c.state.revision());
  CHECK_FALSE(c.must(RotateCertificates{"n1", mark}).changed);
  CHECK_FALSE(c.must(RotateCertificates{"n1", mark - Seconds(5)}).changed);  // it never moves back

  const std::vector<CertUsage> all = usages_of_node();
  c.renew(mark, {CertUsage::agent}, "one");
  CHECK(c.state.node("n1")->renew_before == mark);  // the others are old
  c.renew(mark - Seconds(1), all, "early");         // was under way when the operator asked
  CHECK(c.state.node("n1")->renew_before == mark);
  c.renew(mark, all, "new");
  CHECK(c.state.node("n1")->renew_before == WallTime{});
  CHECK_FALSE(told(c.state, "n1"));
  CHECK(c.stored("n1") == *c.state.node("n1"));
}

TEST_CASE("all nodes are marked at once", "[nodes]") {
  Cluster c;
  c.must(RotateCertificates{"n2", k_start + Seconds(2000)});
  const Outcome marked = c.must(RotateCertificates{"", k_start + Seconds(1000)});
  CHECK(marked.count == 2);
  CHECK_FALSE(marked.node);
  CHECK(c.state.node("n1")->renew_before == k_start + Seconds(1000));
  CHECK(c.state.node("n2")->renew_before == k_start + Seconds(2000));
  CHECK(apply(c.state, RotateCertificates{"x", k_start}, c.changes).error().code == Errc::not_found);
}

}  // namespace
}  // namespace slipway
