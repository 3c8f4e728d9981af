#pragma once
// What an installed version consists of, written beside it: from then on it can be checked without the artifact.
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/crypto/file_digest.hpp"

namespace slipway {

struct ManifestEntry {
  std::string sha256;        // files
  mode_t mode = 0;           // files
  std::uint64_t size = 0;    // files
  std::string link_target;   // links; empty: a file

  bool operator==(const ManifestEntry&) const = default;
};

struct Manifest {
  std::string artifact_sha256;
  std::map<std::string, ManifestEntry> entries;  // by path below the version's folder

  bool operator==(const Manifest&) const = default;
};

inline constexpr char k_manifest_name[] = ".slipway-manifest";

// Reads every file below `dir`. Errc::corrupt: a link that leads out of `dir`, or something that is no file, folder or link.
Result<Manifest> describe_tree(const std::string& dir, const std::string& artifact_sha256);

std::string to_text(const Manifest& manifest);
Result<Manifest> parse_manifest(std::string_view text);

// The manifest stored in `dir`. Errc::not_found: none, so `dir` was never completed.
Result<Manifest> read_manifest(const std::string& dir);

enum class CheckDepth { sizes, digests };
// Errc::corrupt names the first path that is missing, new or different.
Status check_tree(const std::string& dir, const Manifest& manifest, CheckDepth depth);

// Changes when any file that the manifest names, or the manifest, is written, replaced or touched: from inode, length and time of change
// (st_ctime, which nobody can set). Equal seals spare reading everything again. Empty: something is missing.
std::string seal_of_tree(const std::string& dir, const Manifest& manifest);

}  // namespace slipway
