#include "common/crypto/file_digest.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"

namespace slipway {

Result<std::string> sha256_of_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return from_errno("open " + path, errno);
  constexpr std::size_t k_chunk_bytes = 256 * 1024;
  auto buffer = std::make_unique<std::array<char, k_chunk_bytes>>();
  Sha256 digest;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer->data(), buffer->size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return from_errno("read " + path, errno);
    if (got == 0) return digest.finish_hex();
    digest.update({buffer->data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace slipway
