#include "common/http/host_authorities.hpp"

#include <array>

#include "common/files/atomic_file.hpp"

namespace slipway::http {

namespace {

constexpr std::size_t k_max_authorities = 4 * 1024 * 1024;
// Debian's and the RPM distributions' list.
constexpr std::array k_host_lists = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"};

}  // namespace

Result<std::string> host_authorities() {
  for (const char* list : k_host_lists) {
    auto pem = read_file(list, k_max_authorities);
    if (pem || pem.error().code != Errc::not_found) return pem;
  }
  return make_error(Errc::not_found, "this host has no list of CAs: install ca-certificates");
}

Result<std::string> authorities_of_file(const std::string& path) { return read_file(path, k_max_authorities); }

}  // namespace slipway::http
