#include "proto/problem.hpp"

#include <algorithm>

#include "proto/codec.hpp"

namespace slipway::proto {

namespace {

// Of a code that stands twice the first row is the one of our own errors, the other is the server's.
constexpr ProblemCode k_codes[] = {
    {"pending", 202, "Accepted"},
    {"invalid", 400, "Bad Request"},
    {"unauthenticated", 401, "Unauthorized"},
    {"denied", 403, "Forbidden"},
    {"hostDenied", 403, "Forbidden"},
    {"notFound", 404, "Not Found"},
    {"methodNotAllowed", 405, "Method Not Allowed"},
    {"conflict", 409, "Conflict"},
    {"nameTaken", 409, "Conflict"},
    {"addressTaken", 409, "Conflict"},
    {"machineTaken", 409, "Conflict"},
    {"rangeOverlap", 409, "Conflict"},
    {"blockTaken", 409, "Conflict"},
    {"inUse", 409, "Conflict"},
    {"fixed", 409, "Conflict"},
    {"raced", 409, "Conflict"},
    {"gone", 410, "Gone"},
    {"preconditionFailed", 412, "Precondition Failed"},
    {"bodyTooLarge", 413, "Content Too Large"},
    {"rangeNotSatisfiable", 416, "Range Not Satisfiable"},
    {"expectationFailed", 417, "Expectation Failed"},
    {"corrupt", 422, "Unprocessable Content"},
    {"tooMany", 429, "Too Many Requests"},
    {"headerTooLarge", 431, "Request Header Fields Too Large"},
    {"internal", 500, "Internal Server Error"},
    {"notImplemented", 501, "Not Implemented"},
    {"unavailable", 503, "Service Unavailable"},
    {"canceled", 503, "Service Unavailable"},
    {"timeout", 504, "Gateway Timeout"},
    {"timeout", 408, "Request Timeout"},
    {"httpVersion", 505, "HTTP Version Not Supported"},
    {"exhausted", 507, "Insufficient Storage"},
    {"noBlock", 507, "Insufficient Storage"},
};

const ProblemCode& row_of(std::string_view code) {
  const auto named = [](std::string_view name) {
    return std::find_if(std::begin(k_codes), std::end(k_codes), [name](const ProblemCode& row) { return row.code == name; });
  };
  const auto found = named(code);
  return found != std::end(k_codes) ? *found : *named("internal");
}

}  // namespace

std::span<const ProblemCode> problem_codes() { return k_codes; }

int http_status(Errc code) { return row_of(to_string(code)).status; }

Errc errc_of_status(int status) {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    if (http_status(static_cast<Errc>(i)) == status) return static_cast<Errc>(i);
  }
  if (status == 408) return Errc::timeout;
  if (status == 412) return Errc::conflict;
  return status >= 400 && status < 500 ? Errc::invalid : Errc::internal;
}

Problem to_problem(const Error& error) {
  const ProblemCode& row = row_of(error.cause == Cause::none ? to_string(error.code) : to_string(error.cause));
  Problem problem;
  problem.title = row.title;
  problem.status = static_cast<std::uint64_t>(row.status);
  problem.detail = error.message;
  problem.code = row.code;
  if (!error.pointer.empty()) problem.pointer = error.pointer;
  if (!error.parameter.empty()) problem.parameter = error.parameter;
  return problem;
}

Error from_problem(int status, const std::string& body) {
  const auto problem = decode<Problem>(body);
  std::string text = problem ? problem->detail : "the answer has status " + std::to_string(status);
  // A code that belongs to another status is no word of ours.
  const Cause cause = problem ? cause_from_string(problem->code) : Cause::none;
  const bool fits = cause != Cause::none && row_of(to_string(cause)).status == status;
  return make_error(errc_of_status(status), fits ? cause : Cause::none, std::move(text));
}

}  // namespace slipway::proto
