#include "agent/net/pod_leases.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace slipway::net {

std::vector<IpAddress> leased_addresses(const std::string& folder, std::size_t most) {
  namespace fs = std::filesystem;
  std::vector<IpAddress> addresses;
  std::error_code ec;
  for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec)) {
    // Beside them: lock, last_reserved_ip.0
    const auto address = IpAddress::parse(entry->path().filename().string());
    if (address) addresses.push_back(*address);
  }
  std::sort(addresses.begin(), addresses.end());
  if (addresses.size() > most) addresses.resize(most);
  return addresses;
}

}  // namespace slipway::net
