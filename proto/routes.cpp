#include "proto/routes.hpp"

#include <algorithm>
#include <array>

#include "common/core/text.hpp"

namespace slipway::proto {

namespace {

constexpr std::size_t k_small = 16 * 1024;
constexpr std::size_t k_join = 64 * 1024;  // a master sends twelve CSRs
constexpr std::size_t k_probe = 128 * 1024;  // 64 targets that answer to nothing
constexpr std::size_t k_spec = 256 * 1024;
constexpr std::size_t k_blob = std::size_t{4} * 1024 * 1024 * 1024;

constexpr Route with_query(Route route, std::string_view keys) {
  route.query = keys;
  return route;
}

constexpr std::array k_routes = {
    Route{"joinNode", "POST", "/v1/join", Role::none, 200, k_join},
    Route{"getCaCertificates", "GET", "/v1/cacerts", Role::none},
    with_query(Route{"syncAgent", "GET", "/v1/agent/sync", Role::agent}, "epoch revision applied wait probe"),
    Route{"reportStatus", "POST", "/v1/agent/status", Role::agent, 204, k_join},
    Route{"requestRestart", "POST", "/v1/agent/restart-permit", Role::agent, 200, k_small},
    Route{"offerProbe", "POST", "/v1/agent/network-probe", Role::agent, 200, k_small},
    Route{"reportProbe", "POST", "/v1/agent/network-probe/report", Role::agent, 204, k_probe},
    Route{"renewCertificates", "POST", "/v1/agent/certificates", Role::agent, 200, k_join},
    Route{"getMasterSecrets", "GET", "/v1/agent/secrets", Role::agent},
    Route{"getCaBundles", "GET", "/v1/agent/ca-bundles", Role::agent},
    Route{"getArtifactContent", "GET", "/v1/artifacts/{sha256}/content", Role::artifact},
    Route{"getCluster", "GET", "/v1/cluster", Role::viewer},
    Route{"applyCluster", "PUT", "/v1/cluster", Role::admin, 200, k_spec},
    Route{"planCluster", "POST", "/v1/cluster/plan", Role::admin, 200, k_spec},
    Route{"createKubeconfig", "POST", "/v1/cluster/kubeconfig", Role::admin, 200, k_small},
    with_query(Route{"listNodes", "GET", "/v1/nodes", Role::viewer}, "limit continue role phase labelSelector watch"),
    Route{"getNode", "GET", "/v1/nodes/{name}", Role::viewer},
    Route{"deleteNode", "DELETE", "/v1/nodes/{name}", Role::op, 204},
    with_query(Route{"listJoins", "GET", "/v1/joins", Role::viewer}, "limit continue node accepted stage"),
    with_query(Route{"listPendingNodes", "GET", "/v1/pending", Role::viewer}, "limit continue"),
    Route{"approveNode", "POST", "/v1/nodes/{name}/approve", Role::op, 200, k_small},
    Route{"denyNode", "POST", "/v1/nodes/{name}/deny", Role::op, 200, k_small},
    Route{"replaceNode", "POST", "/v1/nodes/{name}/replace", Role::op, 201, k_small},
    Route{"cordonNode", "POST", "/v1/nodes/{name}/cordon", Role::op},
    Route{"uncordonNode", "POST", "/v1/nodes/{name}/uncordon", Role::op},
    Route{"drainNode", "POST", "/v1/nodes/{name}/drain", Role::op, 200, k_small},
    Route{"getNodeConfig", "GET", "/v1/nodes/{name}/config", Role::viewer},
    Route{"setNodeConfig", "PUT", "/v1/nodes/{name}/config", Role::op, 200, k_join},
    Route{"rotateNode", "POST", "/v1/nodes/{name}/rotate", Role::op},
    Route{"createToken", "POST", "/v1/tokens", Role::op, 201, k_small},
    with_query(Route{"listTokens", "GET", "/v1/tokens", Role::viewer}, "limit continue role state"),
    Route{"deleteToken", "DELETE", "/v1/tokens/{id}", Role::op, 204},
    with_query(Route{"listPools", "GET", "/v1/pools", Role::viewer}, "limit continue"),
    Route{"createPool", "POST", "/v1/pools", Role::admin, 201, k_small},
    Route{"getPool", "GET", "/v1/pools/{name}", Role::viewer},
    Route{"deletePool", "DELETE", "/v1/pools/{name}", Role::admin, 204},
    Route{"growPool", "POST", "/v1/pools/{name}/grow", Role::admin, 200, k_small},
    Route{"drainPool", "POST", "/v1/pools/{name}/drain", Role::op, 200, k_small},
    with_query(Route{"listPoolNodes", "GET", "/v1/pools/{name}/nodes", Role::viewer}, "limit continue"),
    Route{"createReservation", "POST", "/v1/pools/{name}/reservations", Role::op, 201, k_small},
    Route{"deleteReservation", "DELETE", "/v1/pools/{name}/reservations/{block}", Role::op, 204},
    Route{"uploadBlob", "PUT", "/v1/blobs/{sha256}", Role::admin, 201, k_blob, true},
    Route{"registerArtifact", "POST", "/v1/artifacts", Role::admin, 201, k_small},
    Route{"deleteArtifact", "DELETE", "/v1/artifacts/{component}/{version}", Role::admin, 204},
    Route{"collectBlobs", "POST", "/v1/artifacts/collect", Role::admin, 200, k_small},
    Route{"getArtifactManifest", "GET", "/v1/artifact-manifest", Role::viewer},
    Route{"putArtifactManifest", "PUT", "/v1/artifact-manifest", Role::admin, 200, k_spec},
    with_query(Route{"listArtifacts", "GET", "/v1/artifacts", Role::viewer}, "limit continue"),
    with_query(Route{"listCertificates", "GET", "/v1/certificates", Role::viewer}, "limit continue node usage expiresBefore"),
    Route{"rotateCertificates", "POST", "/v1/certificates/rotate", Role::op},
    Route{"createOperator", "POST", "/v1/operators", Role::admin, 201, k_small},
    with_query(Route{"listOperators", "GET", "/v1/operators", Role::viewer}, "limit continue"),
    Route{"revokeOperator", "DELETE", "/v1/operators/{user}", Role::admin, 204},
    with_query(Route{"listRevoked", "GET", "/v1/certificates/revoked", Role::viewer}, "limit continue node"),
    with_query(Route{"getCrl", "GET", "/v1/crl", Role::viewer}, "ca format"),
    with_query(Route{"listAudit", "GET", "/v1/audit", Role::viewer}, "limit continue node action certificate"),
    Route{"verifyAudit", "GET", "/v1/audit/verify", Role::op},
    Route{"listCas", "GET", "/v1/cas", Role::viewer},
    Route{"getCa", "GET", "/v1/cas/{kind}", Role::viewer},
    Route{"changeCa", "POST", "/v1/cas/{kind}", Role::admin, 200, k_small},
    Route{"startNetworkProbe", "POST", "/v1/network/probe", Role::op},
    with_query(Route{"getNetworkProbe", "GET", "/v1/network/probe", Role::viewer}, "wait"),
    Route{"getHealth", "GET", "/v1/health", Role::viewer},
    Route{"getOpenApi", "GET", "/v1/openapi.json", Role::none},
    Route{"getLivez", "GET", "/livez", Role::none},
    with_query(Route{"getReadyz", "GET", "/readyz", Role::none}, "verbose"),
    Route{"getVersion", "GET", "/version", Role::none},
    Route{"getMetrics", "GET", "/metrics", Role::viewer},
};

// Up to the next slash; `rest` begins behind it.
std::string_view next_segment(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return segment;
}

// Looks at every route of every request: nothing is allocated but for the parameters of one that matches so far.
bool match_path(std::string_view pattern, std::string_view path, std::map<std::string, std::string>& parameters) {
  if (std::count(pattern.begin(), pattern.end(), '/') != std::count(path.begin(), path.end(), '/')) return false;
  std::map<std::string, std::string> found;
  while (!pattern.empty() || !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view given = next_segment(path);
    if (wanted.starts_with('{')) {
      if (given.empty()) return false;
      found.emplace(wanted.substr(1, wanted.size() - 2), given);
    } else if (wanted != given) {
      return false;
    }
  }
  parameters = std::move(found);
  return true;
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::none: return "none";
    case Role::agent: return "agent";
    case Role::viewer: return "viewer";
    case Role::op: return "operator";
    case Role::admin: return "admin";
    case Role::artifact: return "artifact";
  }
  return "admin";
}

std::span<const Route> routes() { return k_routes; }

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Route& route : k_routes) {
    std::map<std::string, std::string> parameters;
    if (!match_path(route.path, path, parameters)) continue;
    methods += (methods.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") methods += ", HEAD";
  }
  return methods;
}

bool knows_query(const Route& route, std::string_view key) {
  const auto keys = split(route.query, ' ');
  return !key.empty() && std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_for_people(Role role) { return role == Role::viewer || role == Role::op || role == Role::admin; }

RouteMatch match_route(std::string_view method, std::string_view path) {
  RouteMatch match;
  for (const Route& route : k_routes) {
    std::map<std::string, std::string> parameters;
    if (!match_path(route.path, path, parameters)) continue;
    match.path_known = true;
    // HEAD is GET without the body (RFC 9110 section 9.3.2).
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      match.route = &route;
      match.parameters = std::move(parameters);
      return match;
    }
  }
  return match;
}

}  // namespace slipway::proto
