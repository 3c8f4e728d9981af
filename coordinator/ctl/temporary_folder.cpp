#include "coordinator/ctl/temporary_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/files/tree.hpp"

namespace slipway::ctl {

Result<TemporaryFolder> TemporaryFolder::make() {
  const char* base = std::getenv("TMPDIR");
  return make_below(base != nullptr && *base != 0 ? base : "/var/tmp");
}

Result<TemporaryFolder> TemporaryFolder::make_below(const std::string& parent) {
  std::string path = parent + "/slipwayctl-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return from_errno("making a temporary folder " + path, errno);
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::~TemporaryFolder() {
  if (!path_.empty()) static_cast<void>(remove_tree(path_));
}

}  // namespace slipway::ctl
