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

struct Tail {
  std::string text;
  bool cut = false;  // there is more before it
};

Result<Tail> tail_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return make_error(Errc::not_found, "there is no " + path);
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return make_error(Errc::internal, "reading " + path + ": " + std::strerror(errno));
  const auto size = static_cast<std::size_t>(info.st_size);
  const std::size_t start = size > k_tail ? size - k_tail : 0;
  Tail tail{std::string(std::min(size, k_tail), '\0'), start > 0};
  const ssize_t read = ::pread(file.get(), tail.text.data(), tail.text.size(), static_cast<off_t>(start));
  if (read < 0) return make_error(Errc::internal, "reading " + path + ": " + std::strerror(errno));
  tail.text.resize(static_cast<std::size_t>(read));
  return tail;
}

// Whole lines from the end.
std::string last_of(const std::string& text, std::size_t lines) {
  std::size_t at = text.ends_with('\n') ? text.size() - 1 : text.size();
  for (std::size_t i = 0; i < lines && at != std::string::npos; ++i) at = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return at == std::string::npos ? text : text.substr(at + 1);
}

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
  const auto tail = tail_of(dir_ + "/" + unit + ".log");
  if (!tail && tail.error().code == Errc::not_found) return std::vector<std::string>{};
  if (!tail) return tail.error();
  return last_log_lines(tail->text, tail->cut);
}

Result<std::string> FileUnitLog::tail(const std::string& unit, std::size_t lines) const {
  const std::string path = dir_ + "/" + unit + ".log";
  const auto now = tail_of(path);
  if (!now && now.error().code != Errc::not_found) return now.error();
  const auto before = tail_of(path + ".1");
  if (!now && !before) return now.error();
  std::string text = before ? before->text : std::string();
  if (now) text += now->text;
  if (text.size() > k_tail) text.erase(0, text.size() - k_tail);
  return last_of(text, lines);
}

}  // namespace slipway
