#include "coordinator/domain/label_selector.hpp"

#include <catch2/catch.hpp>

#include "coordinator/api/node_filter.hpp"

namespace slipway {
namespace {

bool matches(const std::string& text, const Labels& labels) {
  const auto selector = LabelSelector::parse(text);
  INFO(text);
  REQUIRE(selector);
  return selector->matches(labels);
}

// kubernetes.io/docs, "Labels and Selectors".
TEST_CASE("label selectors mean what they mean to Kubernetes", "[labels]") {
  const Labels labels{{"role", "node"}, {"kubernetes.io/arch", "amd64"}, {"empty", ""}};
  for (const char* yes : {"", " ", "role=node", "role==node", "role = node", "role!=master", "other!=x", "role in (master, node)",
                          "role notin (master)", "other notin (a)", "role", "!other", "empty=", "empty in ()",
                          "kubernetes.io/arch=amd64,role=node", "role,!other,kubernetes.io/arch in (amd64,arm64)"}) {
    CHECK(matches(yes, labels));
  }
  for (const char* no : {"role=master", "role!=node", "role in (master)", "role notin (node, x)", "other", "!role", "other=",
                         "role=node,other", "other in (a)"}) {
    CHECK_FALSE(matches(no, labels));
  }
}

// One line an operator of the grammar, over each kind of label there is.
TEST_CASE("nodes are selected by their labels and by name, role and pool", "[labels]") {
  proto::NodeView node;
  node.name = "web-1";
  node.role = "node";
  node.pool = "red";
  node.labels = {{"kubernetes.io/hostname", "web-1"}, {"slipway/role", "node"}, {"slipway/pool", "red"}, {"example.com/rack", "r7"}, {"gpu", ""}};
  struct Case {
    const char* selector;
    bool selected;
  };
  for (const Case& c : {Case{"name=web-1", true}, {"name==web-1", true}, {"name!=web-1", false}, {"role=node", true}, {"role=master", false},
                        {"role in (node,master)", true}, {"role notin (node)", false}, {"pool=red,role=node", true}, {"pool in (blue, green)", false},
                        {"pool notin (blue)", true}, {"pool", true}, {"!pool", false}, {"kubernetes.io/hostname=web-1", true},
                        {"kubernetes.io/hostname in (web-2,web-3)", false}, {"kubernetes.io/hostname!=web-2", true}, {"slipway/role==node", true},
                        {"example.com/rack=r7", true}, {"example.com/rack notin (r7, r8)", false}, {"example.com/rack", true}, {"gpu", true},
                        {"gpu=", true}, {"!gpu", false}, {"gpu in (,yes)", true}, {"!example.com/row", true}, {"example.com/row!=3", true},
                        {"example.com/row", false}, {"example.com/row notin (3)", true}, {"example.com/row in (3)", false},
                        {"name in (web-1),!example.com/row,role!=master", true}, {"name in(web-1)", true}, {"! example.com/row", true},
                        {"name\tin\t( web-1 , web-2 )", true}}) {
    INFO(c.selector);
    api::NodeFilter filter;
    const auto selector = LabelSelector::parse(c.selector);
    REQUIRE(selector);
    filter.selector = *selector;
    CHECK(filter.matches(node) == c.selected);
  }
}

TEST_CASE("an operator's own label goes before the short names", "[labels]") {
  proto::NodeView node;
  node.name = "web-1";
  node.role = "node";
  node.labels = {{"role", "database"}};
  CHECK(api::selectable_labels(node).at("role") == "database");
  CHECK(api::selectable_labels(node).at("name") == "web-1");
  CHECK_FALSE(api::selectable_labels(node).contains("pool"));
}

TEST_CASE("what is no label selector is refused with the part that is wrong", "[labels]") {
  const std::string long_value(64, 'a');
  const std::string many = [] {
    std::string text = "a0";
    for (int i = 1; i < 40; ++i) text += ",a" + std::to_string(i);
    return text;
  }();
  for (const std::string& bad : {std::string(","), std::string("a,,b"), std::string("=x"), std::string("a=b=c"), std::string("a in"),
                                 std::string("a in (b"), std::string("a in b)"), std::string("a (b)"), std::string("a in ((b))"),
                                 std::string("!"), std::string("a b"), std::string("-a=b"), std::string("a=b c"), "a=" + long_value,
                                 std::string("A_/x=1"), std::string("a\n=b\n,;"), std::string(5000, 'a'), many, std::string("in (a)"),
                                 std::string("a>1")}) {
    INFO(bad);
    const auto selector = LabelSelector::parse(bad);
    REQUIRE_FALSE(selector);
    CHECK(selector.error().code == Errc::invalid);
    CHECK(selector.error().message.find("label selector") == 0);
  }
}

TEST_CASE("node filters come from the query", "[labels]") {
  http::Request request;
  request.query = "role=master&phase=Running&labelSelector=slipway%2Frole%3Dmaster&watch=true";
  const auto filter = api::NodeFilter::of(request);
  REQUIRE(filter);
  proto::NodeView node;
  node.role = "master";
  node.phase = "Running";
  node.labels = {{"slipway/role", "master"}};
  CHECK(filter->matches(node));
  for (const auto change : {&proto::NodeView::role, &proto::NodeView::phase}) {
    proto::NodeView other = node;
    other.*change = "x";
    CHECK_FALSE(filter->matches(other));
  }
  node.labels.clear();
  CHECK_FALSE(filter->matches(node));
  CHECK(api::wants_watch(request).value());
  request.query = "watch=perhaps&role=king";
  CHECK_FALSE(api::wants_watch(request));
  CHECK_FALSE(api::NodeFilter::of(request));
}

}  // namespace
}  // namespace slipway
