#include "agent/net/quiet_state.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "agent/net/sysctls.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace {

// Only where the table is there: asking for it would make it.
bool has_old_filter_table() {
  UniqueFd fd(::open("/proc/thread-self/net/ip_tables_names", O_RDONLY | O_CLOEXEC));
  std::array<char, 256> names{};
  if (!fd) return false;
  const ssize_t got = ::read(fd.get(), names.data(), names.size());
  return got > 0 && std::string_view(names.data(), static_cast<std::size_t>(got)).find("filter") !=
                        std::string_view::npos;
}

// Size, number of rules and where each chain begins: what somebody puts before our jump, or takes away, moves
// these.
std::string old_filter_table() {
  if (!has_old_filter_table()) return {};
  UniqueFd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  ipt_getinfo info{};
  std::strncpy(info.name, "filter", sizeof info.name - 1);
  socklen_t size = sizeof info;
  if (!fd || ::getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) != 0) return {};
  return {reinterpret_cast<const char*>(&info), sizeof info};
}

}  // namespace

std::string quiet_state(const std::string& proc_sys, const std::vector<std::string>& sysctl_keys) {
  std::string state;
  for (const ObservedSysctl& sysctl : read_sysctls(proc_sys, sysctl_keys))
    state += sysctl.value.value_or("-") + "\n";
  return state + old_filter_table();
}

}  // namespace slipway::net
