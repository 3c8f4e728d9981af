#include "agent/install/file_copier.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "agent/install/manifest.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/file_digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_program = std::size_t{256} << 20;
constexpr std::int64_t k_second_ns = 1'000'000'000;
constexpr mode_t k_any_execute = 0111;
constexpr mode_t k_program_mode = 0755;

// Beside each other: what lies deeper is documentation and the like.
bool is_program(const std::string& path, const ManifestEntry& entry) {
  return path.find('/') == std::string::npos && entry.link_target.empty() &&
         (entry.mode & k_any_execute) != 0;
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<std::map<std::string, std::string>> FileCopier::programs(const std::string& component) {
  const auto version = read_link(paths_.current_link(component));
  if (!version) return error_of(version, "the programs of " + component);
  const auto manifest = read_manifest(paths_.version_dir(component, *version));
  if (!manifest) return error_of(manifest, "the programs of " + component);
  std::map<std::string, std::string> programs;
  for (const auto& [path, entry] : manifest->entries) {
    if (is_program(path, entry)) programs[path] = entry.sha256;
  }
  return programs;
}

FilesThere FileCopier::look(const std::vector<std::string>& paths) {
  FilesThere there;
  for (const std::string& path : paths) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      read_.erase(path);
      // Whatever hides it, it is not free to be taken.
      if (errno != ENOENT) there[path] = "";
      continue;
    }
    there[path] = S_ISREG(info.st_mode) ? digest_at(path, info) : "";
  }
  return there;
}

std::string FileCopier::digest_at(const std::string& path, const struct stat& info) {
  const Read now{info.st_dev, info.st_ino, info.st_size,
                 info.st_ctim.tv_sec * k_second_ns + info.st_ctim.tv_nsec, ""};
  const auto known = read_.find(path);
  if (known != read_.end()) {
    const Read& before = known->second;
    if (before.device == now.device && before.inode == now.inode && before.size == now.size &&
        before.changed_ns == now.changed_ns)
      return before.sha256;
  }
  const auto digest = sha256_of_file(path);
  if (!digest) return "";
  Read& noted = read_[path] = now;
  noted.sha256 = *digest;
  return *digest;
}

Status FileCopier::put(const std::string& component, const PutProgramCopy& step) {
  const std::string& path = step.copy.path;
  const auto program = read_file(paths_.current_link(component) + "/" + name_of(path), k_max_program);
  if (!program) return program.error();
  if (sha256_hex(*program) != step.copy.sha256)
    return make_error(Errc::corrupt, "the installed program is not what its manifest says");
  if (auto made = make_dirs(parent_path(path), k_program_mode); !made) return made;
  if (step.replaces.empty()) return write_new_file(path, *program, k_program_mode);
  const FilesThere there = look({path});
  const auto now = there.find(path);
  if (now == there.end() || now->second != step.replaces)
    return make_error(Errc::conflict, path + " is somebody else's now");
  return write_file_atomically(path, *program, k_program_mode);
}

Status FileCopier::remove(const ProgramCopy& copy) {
  const FilesThere there = look({copy.path});
  const auto now = there.find(copy.path);
  return now != there.end() && now->second == copy.sha256 ? remove_file(copy.path) : Status();
}

}  // namespace slipway
