#include "coordinator/api/list_filters.hpp"

#include "common/core/text.hpp"
#include "coordinator/api/page.hpp"

namespace slipway::api {

namespace {

std::string query(const http::Request& request, const char* name) { return http::query_parameter(request, name).value_or(""); }

}  // namespace

Result<CertificateFilter> CertificateFilter::of(const http::Request& request) {
  CertificateFilter filter{query(request, "node"), query(request, "usage"), {}};
  const std::string before = query(request, "expiresBefore");
  if (before.empty()) return filter;
  const auto time = parse_rfc3339(before);
  if (!time) return parameter_error("expiresBefore", " must be a time such as 2026-11-23T12:00:00Z");
  filter.expires_before = to_rfc3339(*time);
  return filter;
}

bool CertificateFilter::matches(const proto::CertificateView& certificate) const {
  return (node.empty() || certificate.node == node) && (usage.empty() || certificate.usage == usage) &&
         (expires_before.empty() || certificate.not_after < expires_before);
}

Result<TokenFilter> TokenFilter::of(const http::Request& request) {
  TokenFilter filter{query(request, "role"), query(request, "state")};
  if (!filter.role.empty() && filter.role != "node" && filter.role != "master")
    return parameter_error("role", " must be node or master");
  const bool known = filter.state.empty() || filter.state == "valid" || filter.state == "expired" || filter.state == "used-up";
  if (!known) return parameter_error("state", " must be valid, expired or used-up");
  return filter;
}

bool TokenFilter::matches(const proto::TokenView& token) const {
  return (role.empty() || token.role == role) && (state.empty() || token.state == state);
}

Result<JoinQuery> join_query(const http::Request& request) {
  const auto page = page_wish(request);
  if (!page) return page.error();
  JoinQuery wish;
  wish.limit = page->limit;
  if (!page->after.empty()) {
    const auto before = parse_u64(page->after);
    if (!before || *before == 0) return parameter_error("continue", " must be the next of a page of this list");
    wish.before = *before;
  }
  wish.node = query(request, "node");
  wish.stage = query(request, "stage");
  const std::string accepted = query(request, "accepted");
  if (accepted != "" && accepted != "true" && accepted != "false") return parameter_error("accepted", " must be true or false");
  if (!accepted.empty()) wish.accepted = accepted == "true";
  return wish;
}

}  // namespace slipway::api
