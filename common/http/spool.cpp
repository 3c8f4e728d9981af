#include "common/http/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace slipway::http {

SpoolFile::~SpoolFile() { discard(); }

void SpoolFile::discard() {
  const std::string path = release();
  if (!path.empty()) ::unlink(path.c_str());
}

Status SpoolFile::create(const std::string& directory) {
  std::string path = directory + "/upload-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);  // mode 0600 by contract
  if (fd < 0) return from_errno("making a file in " + directory, errno);
  fd_.reset(fd);
  path_ = std::move(path);
  return {};
}

Status SpoolFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return from_errno("writing " + path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string SpoolFile::release() {
  fd_.reset();
  return std::exchange(path_, {});
}

}  // namespace slipway::http
