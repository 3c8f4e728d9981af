#pragma once
// Folders and links: listing, removing, syncing, switching. Everything here blocks.
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

// Names in the folder, sorted, without "." and "..". Errc::not_found when there is no such folder.
Result<std::vector<std::string>> list_dir(const std::string& path);

// Something is there, be it a link that leads nowhere.
bool path_exists(const std::string& path);

// Removes a file, link or whole folder. Links are removed, never followed; another file system mounted below is refused
// before anything is touched there. Absent is no error.
Status remove_tree(const std::string& path);

// Removes from `folder` the files and links called <prefix><process id>, or that with "-<number>" behind it, whose process is gone:
// the temporary names of a writer that was killed. Those of living processes are theirs. What cannot be removed stays.
void remove_stale(const std::string& folder, const std::string& prefix);

// fsyncs every file and folder below `path` and `path` itself.
Status sync_tree(const std::string& path);

// Makes `link_path` a symbolic link to `target` by rename, so that readers see the old or the new target, never none.
// Refuses to replace something that is not a link. Durable when it returns. true: changed.
Result<bool> switch_link(const std::string& link_path, const std::string& target);

// Where the link leads, as it is written in it. Errc::not_found when there is none, Errc::invalid when it is not a link.
Result<std::string> read_link(const std::string& link_path);

}  // namespace slipway
