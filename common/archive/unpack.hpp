#pragma once
// Reading tar archives from elsewhere: tar, tar.gz, tar.xz, tar.zst. An archive is hostile until it has been unpacked.
// Everything here blocks: on an event thread only through offload(). Errors name the archive and the member.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct UnpackLimits {
  std::uint64_t max_entries = 100'000;
  std::uint64_t max_bytes = 8ULL << 30;    // of all unpacked files together
  std::uint64_t max_ratio = 200;           // unpacked bytes for each byte of the archive, looked at beyond 64 MiB
  std::size_t max_path_bytes = 1024;
  std::size_t max_depth = 32;
};

// Unpacks into `fresh_dir`, which must not exist: it is made with mode 0755. Files get 0644 or 0755 (owner's execute bit
// decides), folders 0755, the caller as owner; times and extended attributes are not kept.
// Refused: absolute names, "..", control characters in names and in where links lead, a name twice, links that lead out of the folder, names below
// a link, hard links to what the archive has not brought, devices, FIFOs, sockets, setuid, setgid, what is compressed more than once, what was cut or has no members,
// and what goes beyond `limits`. What comes behind the end of the archive is not read. On an error nothing of
// `fresh_dir` is left. Nothing is fsynced (see sync_tree).
Status unpack(const std::string& archive_path, const std::string& fresh_dir, const UnpackLimits& limits = {});

struct ArchiveMember {
  std::string path;  // as in the archive, without a leading "./"
  std::uint64_t size = 0;
  bool regular = false;
};

// The members in the archive's order; the same limits and refusals of names.
Result<std::vector<ArchiveMember>> list_members(const std::string& archive_path, const UnpackLimits& limits = {});

// Writes the regular file `member_path` of the archive to `to_path` (mode 0644, atomically and durably).
// Errc::not_found when the archive has no such member.
Status extract_member(const std::string& archive_path, const std::string& member_path, const std::string& to_path,
                      const UnpackLimits& limits = {});

}  // namespace slipway
