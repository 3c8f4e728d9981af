#pragma once
// Whole files, read with a limit and written so that a crash leaves the old file or the new one, never a part.
// Everything here blocks: on an event thread only through offload().
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct FileOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Writes a temporary file in the same folder (exclusive, never through a link, mode right from its creation whatever the
// umask), fsyncs it, renames it over `path` and fsyncs the folder. On an error the temporary file is removed and `path` is
// what it was; only a failed fsync of the folder may leave the new content. Without `owner` the file is the caller's. Temporary files
// for `path` of processes that were killed are removed.
Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                             std::optional<FileOwner> owner = {});

// As above, but nothing is replaced: Errc::conflict when there is something at `path`, be it a link that
// leads nowhere.
Status write_new_file(const std::string& path, std::string_view content, mode_t mode);

// As write_file_atomically, but only when content, mode or owner differ (a missing file differs). true:
// written.
Result<bool> write_file_if_changed(const std::string& path, std::string_view content, mode_t mode,
                                   std::optional<FileOwner> owner = {});

// The whole file. Errc::not_found when there is none, Errc::invalid when it is no regular file or longer than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// As read_file, for tokens and private keys: a file that group or others can read is refused, with the cure (chmod 600).
Result<Secret> read_secret_file(const std::string& path, std::size_t max_bytes);

// Makes `path` and its missing parents, each with exactly `mode`; folders that exist keep theirs (one without
// any permission was left by a kill and gets `mode`). Durable when it returns.
Status make_dirs(const std::string& path, mode_t mode);

// As above, and a folder that was there, with permissions beyond 0700, gets 0700: for folders of secrets. true: it did.
Result<bool> make_private_dirs(const std::string& path);

// Gives the regular file at `path` that mode, and the caller as its owner, where they differ: what somebody read meanwhile stays
// read. Links are not followed: Errc::invalid. true: changed.
Result<bool> keep_mode(const std::string& path, mode_t mode);

// Whoever calls, for files that are to be put back when they were given to somebody else.
FileOwner own_user();

// A file that is not there is no error. The folder is fsynced.
Status remove_file(const std::string& path);

// Makes creations, renames and removals in the folder durable.
Status sync_dir(const std::string& path);

// The folder of `path`: "/a/b" gives "/a", "b" gives ".", "/a" gives "/".
std::string parent_path(const std::string& path);

}  // namespace slipway
