// Pages, filters and preconditions of the API, without a server.
#include <catch2/catch.hpp>
#include <map>

#include "coordinator/api/etag.hpp"
#include "coordinator/api/list_filters.hpp"
#include "coordinator/api/page.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway::api {
namespace {

using namespace test;

http::Request asked(const std::string& target) {
  http::Request request;
  const std::size_t mark = target.find('?');
  request.target = target;
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  return request;
}

http::Request with_match(const std::string& value) {
  http::Request request = asked("/v1/nodes/a");
  request.headers.set("If-Match", value);
  return request;
}

proto::TokenList page(const std::map<std::string, int>& all, const PageWish& wish) {
  return page_of<proto::TokenList>(
      all, wish,
      [](const auto& entry) -> std::optional<proto::TokenView> {
        if (entry.second % 2 != 0) return std::nullopt;
        proto::TokenView view;
        view.id = entry.first;
        return view;
      },
      [](const proto::TokenView& view) { return view.id; });
}

State one_node() {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  REQUIRE(apply(state, CreateToken{demo_token()}, changes));
  REQUIRE(apply(state, demo_admit(state, demo_request("a", 11, "key"), "uid-a", "s"), changes));
  return state;
}

TEST_CASE("pages follow each other without a gap, also over what a filter leaves out", "[api][lists]") {
  std::map<std::string, int> all;
  for (int i = 0; i < 10; ++i) all.emplace(std::string(1, static_cast<char>('a' + i)), i);
  const auto first = page(all, {2, ""});
  REQUIRE(first.items.size() == 2);
  CHECK(first.next == "c");
  all.erase("c");  // what the next page begins behind may be gone
  all.emplace("aa", 0);
  const auto second = page(all, {2, first.next});
  CHECK(second.items[0].id == "e");
  const auto last = page(all, {2, second.next});
  REQUIRE(last.items.size() == 1);
  CHECK(last.items[0].id == "i");
  CHECK(last.next.empty());
  CHECK(page(all, {2, "zzz"}).items.empty());
}

TEST_CASE("what a list is asked for is checked", "[api][lists]") {
  CHECK(page_wish(asked("/v1/tokens"))->limit == 500);
  CHECK(page_wish(asked("/v1/tokens?limit=7&continue=x"))->after == "x");
  for (const char* limit : {"0", "1001", "x", "-1"}) CHECK_FALSE(page_wish(asked("/v1/tokens?limit=" + std::string(limit))));
  CHECK_FALSE(TokenFilter::of(asked("/v1/tokens?role=admin")));
  CHECK_FALSE(TokenFilter::of(asked("/v1/tokens?state=used")));
  CHECK_FALSE(CertificateFilter::of(asked("/v1/certificates?expiresBefore=tomorrow")));
  CHECK_FALSE(join_query(asked("/v1/joins?accepted=yes")));
  CHECK_FALSE(join_query(asked("/v1/joins?continue=x")));
  CHECK_FALSE(join_query(asked("/v1/joins?continue=0")));
  const auto joins = join_query(asked("/v1/joins?accepted=false&stage=token&continue=9&limit=3"));
  REQUIRE(joins);
  CHECK(joins->accepted == false);
  CHECK(joins->before == 9);
  CHECK(joins->limit == 3);
}

TEST_CASE("certificates are filtered by holder, usage and end", "[api][lists]") {
  proto::CertificateView view;
  view.node = "a";
  view.usage = "agent";
  view.not_after = "2026-11-23T12:00:00Z";
  const auto fits = [&](const std::string& query) { return CertificateFilter::of(asked("/v1/certificates?" + query))->matches(view); };
  CHECK(fits("node=a&usage=agent&expiresBefore=2026-11-23T12:00:01Z"));
  CHECK_FALSE(fits("expiresBefore=2026-11-23T12:00:00Z"));
  CHECK_FALSE(fits("node=b"));
  CHECK_FALSE(fits("usage=kubeletServing"));
}

TEST_CASE("a change that rests on an old look is refused", "[api][lists]") {
  State state = one_node();
  const std::string etag = etag_of(*state.node("a"));
  const auto allows = [&](const std::string& header) { return node_guard(with_match(header), "a")(state).has_value(); };
  CHECK_FALSE(node_guard(asked("/v1/nodes/a"), "a"));
  CHECK(allows(etag));
  CHECK(allows("*"));
  CHECK(allows("\"x\" , " + etag));
  CHECK_FALSE(allows("\"x\""));
  CHECK_FALSE(allows("W/" + etag));
  CHECK_FALSE(allows(""));
  std::vector<Change> changes;
  REQUIRE(apply(state, CordonNode{"a", true}, changes));
  const Status refused = node_guard(with_match(etag), "a")(state);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::stale);
  CHECK(node_guard(with_match(etag), "nobody")(state));  // the operation says that it is not there
}

TEST_CASE("a pool's tag follows its settings and reservations, not its use", "[api][lists]") {
  State state = one_node();
  const auto tag = [&] { return etag_of(state, *state.ledger().pool(k_default_pool)); };
  const std::string before = tag();
  std::vector<Change> changes;
  REQUIRE(apply(state, DeleteNode{"a", k_start + Seconds(200)}, changes));
  CHECK(tag() == before);
  REQUIRE(apply(state, HoldBlock{"", {*Cidr::parse("10.10.7.0/24"), "", false, "", k_start}}, changes));
  CHECK(tag() != before);
}

}  // namespace
}  // namespace slipway::api
