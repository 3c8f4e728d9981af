#include "agent/host_facts.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

#include "agent/domain/network_plan.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "slipway_version.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_text = std::size_t{1} << 20;
constexpr std::size_t k_max_table = std::size_t{16} << 20;  // 128 bytes a route

// Files of /proc have no length of their own: read until nothing more comes.
Result<std::string> read_proc(const std::string& path, std::size_t limit = k_max_text) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return from_errno("open " + path, errno);
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return from_errno("read " + path, errno);
    if (got == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return make_error(Errc::invalid, path + " is too long");
  }
}

std::string os_name() {
  const auto text = read_file("/etc/os-release", k_max_text);
  if (!text) return {};
  for (const std::string_view line : split(*text, '\n')) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string_view value = trim(line.substr(std::strlen("PRETTY_NAME=")));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return {};
}

// The path after "<id>:<controllers>:" of the line that has `controller`; "name=systemd" is systemd's own
// hierarchy.
std::string_view cgroup_path(std::string_view text, std::string_view controller) {
  for (const std::string_view line : split(text, '\n')) {
    const auto parts = split(line, ':');
    if (parts.size() < 3) continue;
    for (const std::string_view name : split(parts[1], ',')) {
      if (name == controller) return line.substr(parts[0].size() + parts[1].size() + 2);
    }
  }
  return {};
}

constexpr std::size_t k_max_told = 32;  // of one family; the coordinator takes 64 with a join

std::optional<std::uint32_t> hex_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<IpAddress> address_of_socket(int fd) {
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0)
    return from_errno("reading the local address", errno);
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes =
      local.ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&local)->sin_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&local)->sin6_addr);
  if (::inet_ntop(local.ss_family, bytes, text.data(), text.size()) == nullptr)
    return from_errno("reading the local address", errno);
  return IpAddress::parse(text.data());
}

Result<IpAddress> local_address(const http::Endpoint& remote) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(remote.host.c_str(), std::to_string(remote.port).c_str(), &hints, &found);
  if (failed != 0)
    return make_error(Errc::unavailable, "resolving " + remote.host + ": " + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  const UniqueFd fd(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return from_errno("socket", errno);
  if (::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0)
    return from_errno("no way to " + remote.host, errno);
  return address_of_socket(fd.get());
}

}  // namespace

namespace {

// Of what every route has, in whatever table: whether it says where somebody else's addresses are.
bool tells_nothing(const HostRoute& route, std::uint32_t metric) {
  return route.device == "lo" || route.device == k_pod_bridge || route.device == "*" || route.block.prefix_length() == 0 ||
         metric == route_metric(route.block);
}

// Columns: interface, destination, gateway, flags, three more, mask; numbers in hex but for the metric, addresses as they lie in memory
// (route(4)). A gateway of IPv6 does not show.
std::optional<HostRoute> v4_route_in(std::string_view line) {
  const auto columns = split(line, '\t');
  if (columns.size() < 8) return std::nullopt;
  const auto destination = hex_number(columns[1]);
  const auto gateway = hex_number(columns[2]);
  const auto metric = parse_u64(columns[6], UINT32_MAX);
  const auto mask = hex_number(columns[7]);
  if (!destination || !gateway || !metric || !mask) return std::nullopt;
  const auto block = Cidr::make(IpAddress::v4(ntohl(*destination)), std::popcount(*mask));
  if (!block) return std::nullopt;
  const HostRoute route{*block, std::string(trim(columns[0])), *gateway != 0};
  return tells_nothing(route, static_cast<std::uint32_t>(*metric)) ? std::nullopt : std::optional(route);
}

// Columns: destination, its prefix length, source, its prefix length, next hop, metric, two counters, flags, interface; numbers in hex,
// addresses as 32 digits (net/ipv6/route.c). All tables are in it, the one of the host's own addresses, too.
std::optional<HostRoute> v6_route_in(std::string_view line) {
  constexpr std::uint32_t k_not_others = 0x80000000U | 0x01000000U | 0x00100000U | 0x0200U;  // RTF_LOCAL, _CACHE, _ANYCAST, _REJECT
  std::vector<std::string_view> columns;
  for (const std::string_view column : split(line, ' ')) {
    if (!column.empty()) columns.push_back(column);
  }
  if (columns.size() != 10) return std::nullopt;
  const auto bytes = from_hex(columns[0]);
  const auto length = hex_number(columns[1]), metric = hex_number(columns[5]), flags = hex_number(columns[8]);
  const auto address = bytes ? IpAddress::from_bytes(*bytes) : std::nullopt;
  if (!address || !length || *length > 128 || !metric || !flags || (*flags & k_not_others) != 0) return std::nullopt;
  const auto block = Cidr::make(*address, static_cast<int>(*length));
  if (!block) return std::nullopt;
  if (address->is_multicast() || address->is_link_local()) return std::nullopt;
  const bool via = columns[4].find_first_not_of('0') != std::string_view::npos;
  const HostRoute route{*block, std::string(trim(columns[9])), via};
  return tells_nothing(route, *metric) ? std::nullopt : std::optional(route);
}

}  // namespace

std::vector<HostRoute> routes_in(std::string_view v4_table, std::string_view v6_table) {
  std::vector<HostRoute> routes;
  for (const std::string_view line : split(v4_table, '\n')) {
    if (auto route = v4_route_in(line)) routes.push_back(std::move(*route));
  }
  for (const std::string_view line : split(v6_table, '\n')) {
    if (auto route = v6_route_in(line)) routes.push_back(std::move(*route));
  }
  return routes;
}

std::vector<std::string> told_routes(const std::vector<HostRoute>& routes) {
  std::vector<std::string> told;
  std::size_t of_v4 = 0, of_v6 = 0;
  for (const HostRoute& route : routes) {
    std::size_t& count = route.block.is_v4() ? of_v4 : of_v6;
    if (count == k_max_told) continue;
    const std::string text = route.block.to_string() + (route.via ? " via " : " dev ") + route.device;
    if (std::find(told.begin(), told.end(), text) != told.end()) continue;
    told.push_back(text);
    ++count;
  }
  return told;
}

Result<std::vector<HostRoute>> kernel_routes() {
  const auto v4 = read_proc("/proc/net/route", k_max_table);
  if (!v4) return v4.error();
  const auto v6 = read_proc("/proc/net/ipv6_route", k_max_table);
  if (!v6 && v6.error().code != Errc::not_found) return v6.error();
  return routes_in(*v4, v6 ? *v6 : std::string());
}

Result<std::vector<std::string>> host_routes() {
  const auto routes = kernel_routes();
  if (!routes) return routes.error();
  return told_routes(*routes);
}

std::string product_uuid_in(std::string_view text) {
  // What firmware says that was never told one: AMI's and others' defaults.
  static constexpr std::array<std::string_view, 3> k_placeholders = {
      "03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"};
  static constexpr std::string_view k_shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const std::string uuid = lower(trim(text));
  if (uuid.size() != k_shape.size()) return {};
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const bool digit = (uuid[i] >= '0' && uuid[i] <= '9') || (uuid[i] >= 'a' && uuid[i] <= 'f');
    if (k_shape[i] == '-' ? uuid[i] != '-' : !digit) return {};
  }
  const bool one_digit = uuid.find_first_not_of(std::string{'-', uuid.front()}) == std::string::npos;
  const bool placeholder = std::find(k_placeholders.begin(), k_placeholders.end(), uuid) != k_placeholders.end();
  return one_digit || placeholder ? std::string() : uuid;
}

proto::NodeFacts host_facts() {
  proto::NodeFacts facts;
  facts.os = os_name();
  utsname system{};
  if (::uname(&system) == 0) {
    facts.kernel = system.release;
    facts.architecture = system.machine;
  }
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  facts.cpus = cpus > 0 ? static_cast<std::uint64_t>(cpus) : 0;
  struct sysinfo memory {};
  if (::sysinfo(&memory) == 0)
    facts.memory_bytes = static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit;
  if (const auto id = read_file("/etc/machine-id", 4096)) facts.machine_id = std::string(trim(*id));
  // A container sees the firmware of the machine that it shares with others (systemd's container interface).
  const bool container = path_exists("/run/systemd/container");
  const auto uuid = container ? Result<std::string>(std::string()) : read_proc("/sys/class/dmi/id/product_uuid");
  if (uuid) facts.product_uuid = product_uuid_in(*uuid);
  facts.agent_version = k_version;
  if (auto routes = host_routes()) facts.host_routes = std::move(*routes);
  return facts;
}

// systemd counts tasks of every service, so where it owns the controllers the pids controller has the
// service's own group.
std::string cgroup_driver_of(std::string_view proc_self_cgroup, bool unified) {
  if (unified) return "systemd";
  const std::string_view own = cgroup_path(proc_self_cgroup, "name=systemd");
  const std::string_view pids = cgroup_path(proc_self_cgroup, "pids");
  return !own.empty() && own != "/" && own == pids ? "systemd" : "cgroupfs";
}

std::string host_cgroup_driver() {
  const auto groups = read_proc("/proc/self/cgroup");
  return cgroup_driver_of(groups ? *groups : std::string(), path_exists("/sys/fs/cgroup/cgroup.controllers"));
}

Result<IpAddress> local_address_towards(const std::vector<http::Endpoint>& remotes) {
  Result<IpAddress> last = make_error(Errc::invalid, "no coordinator is named");
  for (const http::Endpoint& remote : remotes) {
    last = local_address(remote);
    if (last) return last;
  }
  return last;
}

bool is_own_address(const IpAddress& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    std::string_view bytes;
    if (at->ifa_addr->sa_family == AF_INET) {
      bytes = {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr), sizeof(in_addr)};
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      bytes = {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr), sizeof(in6_addr)};
    }
    if (!bytes.empty() && bytes == address.bytes()) return true;
  }
  return false;
}

AddressSight address_sight(const IpAddress& registered, const std::string& named, const std::vector<http::Endpoint>& endpoints) {
  AddressSight sight;
  sight.named = !named.empty();
  sight.registered_is_there = is_own_address(registered);
  if (sight.registered_is_there && !sight.named) return sight;  // no name has to be resolved each minute
  const auto towards = sight.named ? IpAddress::parse(named) : local_address_towards(endpoints);
  if (towards && is_own_address(*towards)) sight.towards = *towards;
  return sight;
}

Result<std::string> process_environment(std::int32_t pid) {
  return read_proc("/proc/" + std::to_string(pid) + "/environ");
}

}  // namespace slipway
