#include "proto/problem.hpp"

#include "proto/codec.hpp"

namespace slipway::proto {

namespace {

struct Row {
  Errc code;
  int status;
  const char* title;
};

constexpr Row k_rows[] = {
    {Errc::invalid, 400, "Bad Request"},         {Errc::unauthenticated, 401, "Unauthorized"},
    {Errc::denied, 403, "Forbidden"},            {Errc::not_found, 404, "Not Found"},
    {Errc::conflict, 409, "Conflict"},           {Errc::gone, 410, "Gone"},
    {Errc::too_many, 429, "Too Many Requests"},  {Errc::internal, 500, "Internal Server Error"},
    {Errc::unavailable, 503, "Service Unavailable"}, {Errc::exhausted, 507, "Insufficient Storage"},
    {Errc::timeout, 504, "Gateway Timeout"},     {Errc::canceled, 503, "Service Unavailable"},
    {Errc::outdated, 412, "Precondition Failed"},
    {Errc::corrupt, 422, "Unprocessable Content"},    {Errc::pending, 202, "Accepted"},
};

const Row& row_of(Errc code) {
  for (const Row& row : k_rows) {
    if (row.code == code) return row;
  }
  return k_rows[7];
}

}  // namespace

int http_status(Errc code) { return row_of(code).status; }

Errc errc_of_status(int status) {
  for (const Row& row : k_rows) {
    if (row.status == status) return row.code;
  }
  if (status == 408) return Errc::timeout;
  return status >= 400 && status < 500 ? Errc::invalid : Errc::internal;
}

Problem to_problem(const Error& error) {
  const Row& row = row_of(error.code);
  Problem problem;
  problem.title = row.title;
  problem.status = static_cast<std::uint64_t>(row.status);
  problem.detail = error.message;
  problem.code = std::string(to_string(error.code));
  return problem;
}

Error from_problem(int status, const std::string& body) {
  const auto problem = decode<Problem>(body);
  std::string text = problem ? problem->detail : "the answer has status " + std::to_string(status);
  return make_error(errc_of_status(status), std::move(text));
}

}  // namespace slipway::proto
