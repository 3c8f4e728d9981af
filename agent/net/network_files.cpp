#include "agent/net/network_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "agent/domain/host_dropins.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway::net {

namespace {

constexpr std::size_t k_file_limit = 64 * 1024;

// Files of /proc say that they have no length.
std::string short_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> content{};
  const ssize_t got = fd ? ::read(fd.get(), content.data(), content.size()) : -1;
  return got <= 0 ? "" : std::string(trim({content.data(), static_cast<std::size_t>(got)}));
}

}  // namespace

Result<std::map<NetworkFile, std::string>> read_network_files(const std::string& etc) {
  std::map<NetworkFile, std::string> files;
  for (const NetworkFile file : k_network_files) {
    auto content = read_file(etc + "/" + network_file_path(file), k_file_limit);
    if (content)
      files[file] = std::move(*content);
    else if (content.error().code != Errc::not_found)
      return content.error();
  }
  return files;
}

Status write_network_file(const std::string& etc, const WriteNetworkFile& step) {
  const std::string path = etc + "/" + network_file_path(step.file);
  if (step.content.empty()) return remove_file(path);
  if (auto made = make_dirs(parent_path(path), 0755); !made) return made.error();
  return write_file_atomically(path, step.content, 0644);
}

bool dhcpcd_takes_pods(const std::string& etc, const std::string& run, const std::string& proc) {
  for (const char* place : {"/dhcpcd.pid", "/dhcpcd/pid"}) {
    const std::string number = short_text(run + place);
    if (!parse_u64(number, 1U << 30) || short_text(proc + "/" + number + "/comm") != "dhcpcd") continue;
    const auto configuration = read_file(etc + "/dhcpcd.conf", k_file_limit);
    return !configuration || !dhcpcd_leaves_pods(*configuration);
  }
  return false;
}

}  // namespace slipway::net
