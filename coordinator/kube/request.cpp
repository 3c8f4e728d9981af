#include "coordinator/kube/request.hpp"

#include "common/core/text.hpp"
#include "coordinator/kube/objects.hpp"

namespace slipway::kube {

namespace {

constexpr const char* k_json = "application/json";

}  // namespace

http::Request make_request(http::Method method, std::string target, std::string body, const char* type) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Accept", k_json);
  if (!body.empty()) request.headers.set("Content-Type", type);
  request.body = std::move(body);
  return request;
}

Error refusal(const http::Response& response) {
  const std::string message = status_message(response.status, response.body);
  switch (response.status) {
    case 401:
    case 403:
      return make_error(Errc::denied, message);
    case 404:
      return make_error(Errc::not_found, message);
    case 409:
    case 422:
      return make_error(Errc::conflict, message);
    case 408:
    case 410:  // the list's continue token is too old
    case 429:
      return make_error(Errc::unavailable, message);
    default:
      return make_error(response.status >= 500 ? Errc::unavailable : Errc::internal, message);
  }
}

bool good(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}

Status check_name(const std::string& name) {
  if (is_dns_subdomain(name)) return {};
  return make_error(Errc::invalid, "this cannot be the name of a Node object");
}

}  // namespace slipway::kube
