#include "common/http/file_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::http {

namespace {
constexpr std::uint64_t k_block = 64 * 1024;
}

Status FileReader::open(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) return from_errno("open " + path, errno);
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return from_errno("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return make_error(Errc::invalid, path + " is not a regular file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::uint64_t behind = offset <= size ? size - offset : 0;
  if (offset > size || (length != UINT64_MAX && length > behind))
    return make_error(Errc::corrupt, path + " is shorter than expected");
  path_ = path;
  offset_ = offset;
  left_ = std::min(length, behind);
  return {};
}

Status FileReader::next(std::string& block) {
  block.resize(std::min(k_block, left_));
  std::size_t filled = 0;
  while (filled < block.size()) {
    const ssize_t n = ::pread(fd_.get(), block.data() + filled, block.size() - filled,
                              static_cast<off_t>(offset_ + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return from_errno("reading " + path_, errno);
    if (n == 0) return make_error(Errc::corrupt, path_ + " shrank while it was read");
    filled += static_cast<std::size_t>(n);
  }
  offset_ += filled;
  left_ -= filled;
  return {};
}

}  // namespace slipway::http
