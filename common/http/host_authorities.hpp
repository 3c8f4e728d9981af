#pragma once
// The CAs that this host trusts for public web servers.
#include <string>

#include "common/core/result.hpp"

namespace slipway::http {

// PEM, as the distribution's package ca-certificates gathers it. Errc::not_found: there is no list. Blocks.
Result<std::string> host_authorities();
// PEM of that file. Blocks.
Result<std::string> authorities_of_file(const std::string& path);

}  // namespace slipway::http
