#include "tests/support/profile_cluster.hpp"

namespace slipway::test {

ProfileCluster demo_profile_cluster(const std::string& api_endpoint_host) {
  ProfileCluster cluster;
  cluster.name = "demo";
  cluster.id = "11111111-2222-4333-8444-555555555555";
  cluster.dns_domain = "cluster.local";
  cluster.api_endpoint_host = api_endpoint_host;
  cluster.pod_cidrs = {Cidr::parse("10.10.0.0/16").value()};
  cluster.service_cidrs = {Cidr::parse("10.0.0.0/16").value()};
  return cluster;
}

}  // namespace slipway::test
