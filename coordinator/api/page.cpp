#include "coordinator/api/page.hpp"

#include "common/core/text.hpp"

namespace slipway::api {

namespace {

constexpr std::size_t k_max_page = 1000;

}  // namespace

Result<PageWish> page_wish(const http::Request& request) {
  PageWish wish;
  if (const auto text = http::query_parameter(request, "limit")) {
    const auto limit = parse_u64(*text, k_max_page);
    if (!limit || *limit == 0) return parameter_error("limit", " must be a number from 1 to 1000");
    wish.limit = *limit;
  }
  wish.after = http::query_parameter(request, "continue").value_or("");
  return wish;
}

}  // namespace slipway::api
