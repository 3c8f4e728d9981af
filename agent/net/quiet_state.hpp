#pragma once
// What can change in the kernel without an event: sysctls, and the filter tables of the older iptables.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/unique_fd.hpp"

namespace slipway::net {

// Of the network namespace of the thread that makes it. Files stay open between two looks: a look reads each once and makes nothing of it.
class QuietState {
 public:
  // `proc_sys` is /proc/sys but in tests.
  QuietState(const std::string& proc_sys, const std::vector<std::string>& sysctl_keys);

  // What there is now; two looks are equal as long as nothing changed. Valid until the next one.
  const std::string& look();

 private:
  // A file that may come and go: a kernel module brings its sysctls along.
  struct Source {
    std::string path;
    UniqueFd file;
  };
  static bool append(Source& source, std::string& text);
  struct OldFilter {
    int family = 0;  // AF_INET, AF_INET6
    Source tables;
    UniqueFd socket;  // opened once the table is there
  };
  void append_old_filter_table(OldFilter& old);

  std::vector<Source> sysctls_;
  std::array<OldFilter, 2> old_filters_;
  std::string now_;
};

}  // namespace slipway::net
