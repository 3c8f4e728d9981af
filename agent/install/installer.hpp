#pragma once
// Brings verified programs to the host. No byte of an artifact is unpacked or made executable before its length and digest
// are those of the reference. A kill at any point leaves the old version in use or the new one, and the next ensure() goes on.
#include <boost/asio/awaitable.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/install/paths.hpp"
#include "agent/ports/artifact_source.hpp"
#include "common/async/runtime.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

struct InstallOutcome {
  bool changed = false;         // `current` leads to another version than before, or to this one laid down anew
  std::string previous;         // version that was current before; empty: none
};

// Whether `current` leads to this version, laid down from these bytes. Blocks.
bool is_current(const InstallPaths& paths, const ArtifactRef& artifact);

// Used on the agent's state thread; everything that blocks goes to `workers`. One call at a time for each component.
class Installer {
 public:
  // The references must outlive the installer.
  Installer(InstallPaths paths, ArtifactSource& source, Workers& workers);

  // Makes `artifact` the current version of its component: nothing when it is already (every file is held against its
  // manifest by digest: once, and again when somebody wrote to it), else download, verify, unpack, switch. Older versions stay until
  // collect(). Errors name component, version and stage, e.g.
  // "install kubelet 1.20.2: verify: ...". Errc::corrupt: the bytes are not what was promised; they are thrown away. The way back
  // is the same: the version before is there still, and nothing is fetched.
  boost::asio::awaitable<Result<InstallOutcome>> ensure(ArtifactRef artifact);

  // Removes what nobody needs any more: versions older than the previous one that no process executes, what a crash has left, downloads of
  // digests that are not `wanted` and got their last byte a day ago. Never during an ensure(). Returns what went, for the log.
  boost::asio::awaitable<Result<std::vector<std::string>>> collect(std::set<std::string> wanted, WallTime now);

  const InstallPaths& paths() const { return paths_; }

 private:
  InstallPaths paths_;
  ArtifactSource& source_;
  Workers& workers_;
  std::map<std::string, std::string> seals_;  // component -> seal of the version whose digests were checked last
};

}  // namespace slipway
