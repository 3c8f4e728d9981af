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
  explicit QuietState(std::string proc_sys);

  // What there is now of these sysctls, keys with slashes, and of the tables; two looks at the same keys are equal as long as nothing
  // changed. Valid until the next one.
  const std::string& look(const std::vector<std::string>& sysctl_keys);

 private:
  // A file that may come and go: a kernel module brings its sysctls along.
  struct Source {
    int folder = -1;  // that `path` is in; -1: none, it is absolute
    std::string path;
    UniqueFd file;
  };
  static bool append(Source& source, std::string& text);
  void take_keys(const std::vector<std::string>& keys);
  struct OldFilter {
    int family = 0;  // AF_INET, AF_INET6
    Source tables;
    UniqueFd socket;  // opened once the table is there
  };
  void append_old_filter_table(OldFilter& old);

  std::string proc_sys_;
  UniqueFd net_;  // the folder of the thread's network namespace below /proc: most hosts lack what is looked for there
  std::vector<std::string> keys_;
  std::vector<Source> sysctls_;  // of keys_
  std::array<OldFilter, 2> old_filters_;
  std::string now_;
};

}  // namespace slipway::net
