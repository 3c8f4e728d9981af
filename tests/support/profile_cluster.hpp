#pragma once
// The cluster that most tests issue certificates for; each adds what it is about.
#include <string>

#include "coordinator/domain/cert_profile.hpp"

namespace slipway::test {

ProfileCluster demo_profile_cluster(const std::string& api_endpoint_host);

}  // namespace slipway::test
