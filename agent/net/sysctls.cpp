#include "agent/net/sysctls.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace {

std::optional<std::string> read_value(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> buffer{};
  if (!fd) return std::nullopt;
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got < 0) return std::nullopt;
  return std::string(trim({buffer.data(), static_cast<std::size_t>(got)}));
}

}  // namespace

std::vector<ObservedSysctl> read_sysctls(const std::string& root, const std::vector<std::string>& keys) {
  std::vector<ObservedSysctl> out;
  for (const std::string& key : keys) {
    const std::string path = root + "/" + key;
    out.push_back({key, read_value(path), ::access(path.c_str(), W_OK) == 0});
  }
  return out;
}

Status set_sysctl(const std::string& root, const Sysctl& sysctl) {
  const std::string path = root + "/" + sysctl.key;
  // No O_CREAT: a key that does not exist must not become a file of a test's folder.
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return from_errno("open " + path, errno);
  const ssize_t put = ::write(fd.get(), sysctl.value.data(), sysctl.value.size());
  if (put != static_cast<ssize_t>(sysctl.value.size())) return from_errno("write " + path, errno);
  return {};
}

}  // namespace slipway::net
