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
  std::string_view query = {}; // keys that it knows, with a space between
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;                 // nullptr: no such path
  bool path_known = false;                      // path known, method not: 405
  std::map<std::string, std::string> parameters;
};
RouteMatch match_route(std::string_view method, std::string_view path);

// For the Allow header: "GET, HEAD, PUT".
std::string allowed_methods(std::string_view path);
// Whether a key of the query is one of the route's. People's routes refuse the others: a filter that is mistyped would
// filter nothing. Agents and probes may ask more than this version knows.
bool knows_query(const Route& route, std::string_view key);
bool is_for_people(Role role);

}  // namespace slipway::proto
