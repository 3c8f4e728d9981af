#pragma once
// Entity tags of what operators change, and If-Match (RFC 9110 section 13.1.1): a change that rests on an old look is refused.
// A tag is of what operators set, not of what nodes report or how full a pool is: a heartbeat must not refuse a change. Pure.
#include <functional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/message.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway::api {

std::string etag_of(const proto::ClusterSpec& spec);
std::string etag_of(const Node& node);
std::string etag_of(const CaLine& line);
std::string etag_of(const State& state, const AddressPool& pool);

// Asked where an operation is applied, just before it. Empty: nothing is asked.
using Guard = std::function<Status(const State& state)>;
// Errc::conflict, Cause::stale when the request's If-Match names none of the present tags. Without If-Match, or for what is not there, there is
// nothing to compare: the operation itself will say.
Guard cluster_guard(const http::Request& request);
Guard node_guard(const http::Request& request, const std::string& name);
Guard pool_guard(const http::Request& request, const std::string& name);
Guard ca_guard(const http::Request& request, CaKind kind);

}  // namespace slipway::api
