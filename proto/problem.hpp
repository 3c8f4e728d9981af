#pragma once
// One table between our error codes, HTTP statuses and the stable codes in problem documents (RFC 9457).
#include <span>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "proto/view_types.hpp"

namespace slipway::proto {

struct ProblemCode {
  std::string_view code;
  int status = 0;
  std::string_view title;
};
// Every code that an answer may carry, also those of the HTTP server itself. docs/api-errors.md says what to do about each.
std::span<const ProblemCode> problem_codes();

int http_status(Errc code);
Errc errc_of_status(int status);

Problem to_problem(const Error& error);
// The error that a response carries; `body` may be anything.
Error from_problem(int status, const std::string& body);

}  // namespace slipway::proto
