#pragma once
// How kube-apiserver is asked and what its answers mean; for the files of KubeClient.
#include <string>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway::kube {

http::Request make_request(http::Method method, std::string target, std::string body = {},
                           const char* type = "application/json");
bool good(const http::Response& response);
// The error that an answer which is not good() stands for.
Error refusal(const http::Response& response);
// Errc::invalid. The name goes into the path: an empty one would mean all nodes.
Status check_name(const std::string& name);

}  // namespace slipway::kube
