#pragma once
// One table between our error codes, HTTP statuses and the stable codes in problem documents (RFC 9457).
#include <string>

#include "common/core/result.hpp"
#include "proto/types.hpp"

namespace slipway::proto {

int http_status(Errc code);
Errc errc_of_status(int status);

Problem to_problem(const Error& error);
// The error that a response carries; `body` may be anything.
Error from_problem(int status, const std::string& body);

}  // namespace slipway::proto
