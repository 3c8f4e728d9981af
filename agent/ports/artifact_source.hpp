#pragma once
// Port: where the agent gets artifacts from (its coordinator, a mirror, a folder).
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "common/core/result.hpp"

namespace slipway {

enum class ArtifactFormat { file, tar };  // one program; or a tar archive, compressed or not

struct ArtifactRef {
  std::string component;  // "kubelet"
  std::string version;    // "1.20.2"
  std::string sha256;     // 64 lower-case hex digits: the name under which the source has it
  std::uint64_t size = 0;
  ArtifactFormat format = ArtifactFormat::file;

  bool operator==(const ArtifactRef&) const = default;
};

class ArtifactSource {
 public:
  virtual ~ArtifactSource() = default;
  // Appends to the file `to_path` what it lacks of `artifact` (bytes from the file's present length on; the file is made with
  // mode 0600 when missing) and never writes beyond artifact.size. Success: the file has artifact.size bytes. An error or a
  // cancellation leaves what has arrived, for the next call to go on from. The source need not check the digest: the installer
  // does, and on a mismatch removes the file. Errors: not_found (the source has no such artifact), unavailable, denied, corrupt.
  virtual boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) = 0;
};

}  // namespace slipway
