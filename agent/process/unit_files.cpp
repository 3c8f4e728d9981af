#include "agent/process/unit_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/domain/log_lines.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway {

namespace {

// More than 20 lines of 300 bytes; lines of logs are rarely longer than their cut form by much.
constexpr std::size_t k_tail = 256 * 1024;

}  // namespace

std::string file_stamp(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

void bound_log(const std::string& path, std::size_t limit) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || static_cast<std::size_t>(info.st_size) <= limit) return;
  const UniqueFd from(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  const UniqueFd to(::open((path + ".1").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!from || !to) return;
  // The newest part of a log that outgrew the limit between two looks.
  off_t at = info.st_size - static_cast<off_t>(limit);
  while (::copy_file_range(from.get(), &at, to.get(), nullptr, limit, 0) > 0) {
  }
  (void)!::ftruncate(from.get(), 0);
}

Result<std::vector<std::string>> FileUnitLog::last_lines(const std::string& unit) {
  const std::string path = dir_ + "/" + unit + ".log";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return std::vector<std::string>{};
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return make_error(Errc::internal, "reading " + path + ": " + std::strerror(errno));
  const auto size = static_cast<std::size_t>(info.st_size);
  const std::size_t start = size > k_tail ? size - k_tail : 0;
  std::string text(std::min(size, k_tail), '\0');
  const ssize_t read = ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(start));
  if (read < 0) return make_error(Errc::internal, "reading " + path + ": " + std::strerror(errno));
  text.resize(static_cast<std::size_t>(read));
  return last_log_lines(text, start > 0);
}

}  // namespace slipway
