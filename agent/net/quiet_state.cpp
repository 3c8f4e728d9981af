#include "agent/net/quiet_state.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

namespace slipway::net {

QuietState::QuietState(std::string proc_sys)
    : proc_sys_(std::move(proc_sys)),
      net_(::open("/proc/thread-self/net", O_PATH | O_DIRECTORY | O_CLOEXEC)),
      old_filters_{OldFilter{AF_INET, {net_.get(), "ip_tables_names", {}}, {}}, OldFilter{AF_INET6, {net_.get(), "ip6_tables_names", {}}, {}}} {}

void QuietState::take_keys(const std::vector<std::string>& keys) {
  if (keys == keys_) return;
  keys_ = keys;
  sysctls_.clear();
  for (const std::string& key : keys) sysctls_.push_back({-1, proc_sys_ + "/" + key, {}});
}

// False: it is not there. Files of /proc are made anew for each reading from their beginning; one whose module went away says ENOENT.
bool QuietState::append(Source& source, std::string& text) {
  std::array<char, 256> content{};
  if (source.file) {
    const ssize_t again = ::pread(source.file.get(), content.data(), content.size(), 0);
    if (again >= 0) {
      text.append(content.data(), static_cast<std::size_t>(again));
      return true;
    }
  }
  source.file.reset(::openat(source.folder, source.path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = source.file ? ::pread(source.file.get(), content.data(), content.size(), 0) : -1;
  if (got > 0) text.append(content.data(), static_cast<std::size_t>(got));
  return got >= 0;
}

// Size, number of rules and where each chain begins: what somebody puts before our jump, or takes away, moves
// these. Only where the table is there: asking for it would make it.
void QuietState::append_old_filter_table(OldFilter& old) {
  std::string names;
  if (!append(old.tables, names) || names.find("filter") == std::string::npos) return;
  if (!old.socket) old.socket.reset(::socket(old.family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
  ipt_getinfo info{};
  std::strncpy(info.name, "filter", sizeof info.name - 1);
  socklen_t size = sizeof info;
  const int level = old.family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = old.family == AF_INET ? IPT_SO_GET_INFO : IP6T_SO_GET_INFO;
  if (!old.socket || ::getsockopt(old.socket.get(), level, option, &info, &size) != 0) return;
  now_.append(reinterpret_cast<const char*>(&info), sizeof info);
}

const std::string& QuietState::look(const std::vector<std::string>& sysctl_keys) {
  take_keys(sysctl_keys);
  now_.clear();
  for (Source& sysctl : sysctls_) {
    if (!append(sysctl, now_)) now_ += '-';
    now_ += '\n';
  }
  for (OldFilter& old : old_filters_) append_old_filter_table(old);
  return now_;
}

}  // namespace slipway::net
