#pragma once
// Every route of the REST API with its one declared role. Authorisation is deny by default: what does not stand here is 404,
// and a route whose role the caller lacks is 401 or 403. openapi.json is held against this table by a test.
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace slipway::proto {

enum class Role {
  none,      // anyone, also without a certificate
  agent,     // a live node's agent certificate
  viewer,    // any operator
  op,        // operators and admins
  admin,
  artifact,  // a live node's agent, or any operator
};
std::string_view to_string(Role role);

struct Route {
  std::string_view operation;  // operationId
  std::string_view method;     // GET, POST, PUT, DELETE
  std::string_view path;       // template: /v1/nodes/{name}
  Role role = Role::admin;
  int success = 200;
  std::size_t body_limit = 0;  // bytes; 0: no body
  bool spooled = false;        // the body is a file, not JSON
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;                 // nullptr: no such path
  bool path_known = false;                      // path known, method not: 405
  std::map<std::string, std::string> parameters;
};
RouteMatch match_route(std::string_view method, std::string_view path);

}  // namespace slipway::proto
