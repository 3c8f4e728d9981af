#pragma once
// The blocking half of the installer: one step each, all on a worker thread. Private to this folder.
#include <optional>
#include <string>

#include "agent/install/manifest.hpp"
#include "agent/install/paths.hpp"
#include "agent/ports/artifact_source.hpp"
#include "common/core/result.hpp"

namespace slipway::install_layout {

// Names become parts of paths, the digest a file name. Errc::invalid otherwise.
Status check_reference(const ArtifactRef& artifact);

// Removes .tmp-* folders of `component` and makes its folder and the cache's.
Status tidy(const InstallPaths& paths, const std::string& component);

// The seal of the version (seal_of_tree) when it is there, is of this artifact, and is whole. Empty: it is not. With `known` equal to the
// seal only names, modes and lengths are looked at: nobody wrote to it since it was read.
std::string seal_if_whole(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& known);

// Before a download: a part that is longer than the artifact can be none of it.
Status prepare_part(const InstallPaths& paths, const ArtifactRef& artifact);

// Length and digest of the downloaded part; a wrong one is removed, Errc::corrupt.
Status verify_part(const InstallPaths& paths, const ArtifactRef& artifact);

// Lays the verified part down as a version and removes the part. A folder of that version that is there already is moved
// aside, never written to.
Status lay_down(const InstallPaths& paths, const ArtifactRef& artifact);

// Switches `current`, keeps what was current as `previous`. Returns the version that was current; empty: none.
Result<std::string> activate(const InstallPaths& paths, const std::string& component, const std::string& version);

// Under a temporary name first: a crash in the middle must not leave half a version that looks like one.
Status remove_version(const InstallPaths& paths, const std::string& component, const std::string& version);

// A name for a component or version of ours.
bool is_safe_name(const std::string& name);
// A name that is used for a while only, and left by a crash.
bool is_temporary(const std::string& name);
// Where a link leads, if that is a folder beside it; empty otherwise.
std::string version_behind(const std::string& link);

}  // namespace slipway::install_layout
