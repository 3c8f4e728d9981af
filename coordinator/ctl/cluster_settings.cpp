#include "coordinator/ctl/cluster_settings.hpp"

namespace slipway::ctl {

using http::Method;

Result<LivingCluster> read_cluster(Connection& connection, bool whole) {
  const auto response = exchange(connection, make_request(Method::get, "/v1/cluster"));
  if (!response) return response.error();
  auto view = whole ? proto::decode_strict<proto::ClusterView>(response->body) : proto::decode<proto::ClusterView>(response->body);
  if (!view && whole) return context(view.error(), "reading the coordinator's answer (use the slipwayctl of its version, which knows all settings)");
  if (!view) return error_of(view, "reading the coordinator's answer");
  const std::string* etag = response->headers.find("ETag");
  return LivingCluster{std::move(*view), etag == nullptr ? std::string() : *etag};
}

Result<proto::ClusterView> put_cluster(const std::string& spec_json, const std::string& etag, Connection& connection) {
  http::Request request = make_request(Method::put, "/v1/cluster", spec_json);
  if (!etag.empty()) request.headers.set("If-Match", etag);
  return ask<proto::ClusterView>(connection, std::move(request));
}

}  // namespace slipway::ctl
