#pragma once
// Which certificates, tokens or joins a list is about. Empty members mean any. Pure.
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/http/message.hpp"
#include "coordinator/service/join_log.hpp"
#include "proto/view_types.hpp"

namespace slipway::api {

// ?node=, ?usage=, ?expiresBefore= (RFC 3339).
struct CertificateFilter {
  std::string node;
  std::string usage;
  std::string expires_before;  // as to_rfc3339() writes it: such texts compare as their times do

  // Each: Errc::invalid names the parameter.
  static Result<CertificateFilter> of(const http::Request& request);
  bool matches(const proto::CertificateView& certificate) const;
};

// ?role=, ?state=.
struct TokenFilter {
  std::string role;
  std::string state;

  static Result<TokenFilter> of(const http::Request& request);
  bool matches(const proto::TokenView& token) const;
};

// ?node=, ?accepted=, ?stage=, with the page.
Result<JoinQuery> join_query(const http::Request& request);

}  // namespace slipway::api
