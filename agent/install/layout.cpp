#include "agent/install/layout.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "common/archive/unpack.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway::install_layout {

namespace {

constexpr char k_temporary_prefix[] = ".tmp-";

Status copy_file(const std::string& from, const std::string& to, mode_t mode) {
  UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source) return from_errno("open " + from, errno);
  UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target) return from_errno("create " + to, errno);
  auto buffer = std::make_unique<std::array<char, 256 * 1024>>();
  for (;;) {
    const ssize_t got = ::read(source.get(), buffer->data(), buffer->size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return from_errno("read " + from, errno);
    if (got == 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(target.get(), buffer->data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return from_errno("write " + to, errno);
      done += written;
    }
  }
  if (::fchmod(target.get(), mode) != 0) return from_errno("set the mode of " + to, errno);
  if (::close(target.release()) != 0) return from_errno("close " + to, errno);
  return {};
}

Status move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return from_errno("rename " + from + " to " + to, errno);
  return {};
}

// docker.tgz holds all in one folder: its content is what counts.
Status lift_single_folder(const std::string& dir) {
  Result<std::vector<std::string>> names = list_dir(dir);
  if (!names) return names.error();
  struct stat info {};
  if (names->size() != 1 || ::lstat((dir + "/" + names->front()).c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return {};
  const std::string lifted = dir + ".lifted";
  if (Status moved = move(dir + "/" + names->front(), lifted); !moved) return moved;
  if (Status removed = remove_tree(dir); !removed) return removed;
  return move(lifted, dir);
}

Status fill(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& dir) {
  const std::string part = paths.part_file(artifact.sha256);
  if (artifact.format == ArtifactFormat::tar) {
    if (Status unpacked = unpack(part, dir); !unpacked) return error_of(unpacked, "unpack");
    if (Status lifted = lift_single_folder(dir); !lifted) return error_of(lifted, "unpack");
  } else {
    if (Status made = make_dirs(dir, 0755); !made) return made;
    if (Status copied = copy_file(part, dir + "/" + artifact.component, 0755); !copied) return copied;
  }
  Result<Manifest> manifest = describe_tree(dir, artifact.sha256);
  if (!manifest) return error_of(manifest, "unpack");
  if (manifest->entries.empty()) return make_error(Errc::corrupt, "unpack: the archive is empty");
  return write_file_atomically(dir + "/" + k_manifest_name, to_text(*manifest), 0644);
}

// `dir` becomes the version; what had that name before goes away under another one.
Status move_into_place(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& dir) {
  const std::string version_dir = paths.version_dir(artifact.component, artifact.version);
  const std::string aside = paths.component_dir(artifact.component) + "/" + k_temporary_prefix + artifact.version + ".old";
  if (path_exists(version_dir)) {
    if (Status moved = move(version_dir, aside); !moved) return moved;
  }
  if (Status moved = move(dir, version_dir); !moved) return moved;
  if (Status synced = sync_dir(paths.component_dir(artifact.component)); !synced) return synced;
  return remove_tree(aside);
}

}  // namespace

bool is_safe_name(const std::string& name) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '+';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' && name != "current" && name != "previous" &&
         std::all_of(name.begin(), name.end(), ok);
}

bool is_temporary(const std::string& name) { return name.find(k_temporary_prefix) != std::string::npos; }

std::string version_behind(const std::string& link) {
  Result<std::string> target = read_link(link);
  if (!target || !is_safe_name(*target)) return {};
  struct stat info {};
  return ::stat(link.c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? *target : std::string();
}

Status check_reference(const ArtifactRef& artifact) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!is_safe_name(artifact.component)) return make_error(Errc::invalid, "component name \"" + artifact.component + "\" cannot be a folder's name");
  if (!is_safe_name(artifact.version)) return make_error(Errc::invalid, "version \"" + artifact.version + "\" cannot be a folder's name");
  if (artifact.sha256.size() != 64 || !std::all_of(artifact.sha256.begin(), artifact.sha256.end(), hex)) {
    return make_error(Errc::invalid, "digest \"" + artifact.sha256 + "\" is no SHA-256");
  }
  if (artifact.size == 0) return make_error(Errc::invalid, "size 0");
  return {};
}

Status tidy(const InstallPaths& paths, const std::string& component) {
  if (Status made = make_dirs(paths.component_dir(component), 0755); !made) return made;
  if (Status made = make_dirs(paths.cache_dir, 0700); !made) return made;
  Result<std::vector<std::string>> names = list_dir(paths.component_dir(component));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!is_temporary(name)) continue;
    if (Status removed = remove_tree(paths.component_dir(component) + "/" + name); !removed) return removed;
  }
  return {};
}

std::string seal_if_whole(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& known) {
  const std::string dir = paths.version_dir(artifact.component, artifact.version);
  Result<Manifest> manifest = read_manifest(dir);
  if (!manifest || manifest->artifact_sha256 != artifact.sha256) return {};
  // Before the reading: what is written to meanwhile gets another seal and is read again.
  const std::string seal = seal_of_tree(dir, *manifest);
  const CheckDepth depth = !seal.empty() && seal == known ? CheckDepth::sizes : CheckDepth::digests;
  return check_tree(dir, *manifest, depth) ? seal : std::string();
}

Status prepare_part(const InstallPaths& paths, const ArtifactRef& artifact) {
  const std::string part = paths.part_file(artifact.sha256);
  struct stat info {};
  if (::lstat(part.c_str(), &info) != 0) return errno == ENOENT ? Status() : from_errno("stat " + part, errno);
  const bool usable = S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) <= artifact.size;
  return usable ? Status() : remove_tree(part);
}

Status verify_part(const InstallPaths& paths, const ArtifactRef& artifact) {
  const std::string part = paths.part_file(artifact.sha256);
  struct stat info {};
  if (::lstat(part.c_str(), &info) != 0) return from_errno("stat " + part, errno);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < artifact.size) {
    // Kept: the next try goes on from here.
    return make_error(Errc::unavailable, "only " + std::to_string(size) + " of " + std::to_string(artifact.size) + " bytes have come");
  }
  Result<std::string> digest = sha256_of_file(part);
  if (!digest) return digest.error();
  if (size == artifact.size && *digest == artifact.sha256) return {};
  if (Status removed = remove_file(part); !removed) return removed;
  return make_error(Errc::corrupt, "the " + std::to_string(size) + " bytes that came have SHA-256 " + *digest + ", promised were " +
                                       std::to_string(artifact.size) + " bytes with " + artifact.sha256 +
                                       "; they were thrown away; import the artifact again if this repeats");
}

Status lay_down(const InstallPaths& paths, const ArtifactRef& artifact) {
  const std::string dir = paths.temporary_dir(artifact.component, artifact.version);
  Status done = fill(paths, artifact, dir);
  if (done) done = sync_tree(dir);
  if (done) done = move_into_place(paths, artifact, dir);
  if (!done) {
    // What is left over here is removed by tidy() in any case.
    if (Status removed = remove_tree(dir); !removed) return error_of(removed, done.error().message + "; and cleaning up");
    return done;
  }
  return remove_file(paths.part_file(artifact.sha256));
}

Result<std::string> activate(const InstallPaths& paths, const std::string& component, const std::string& version) {
  const std::string before = version_behind(paths.current_link(component));
  if (!before.empty() && before != version) {
    Result<bool> kept = switch_link(paths.previous_link(component), before);
    if (!kept) return kept.error();
  }
  Result<bool> switched = switch_link(paths.current_link(component), version);
  if (!switched) return switched.error();
  return before;
}

Status remove_version(const InstallPaths& paths, const std::string& component, const std::string& version) {
  const std::string doomed = paths.temporary_dir(component, version);
  if (Status cleared = remove_tree(doomed); !cleared) return cleared;
  if (Status moved = move(paths.version_dir(component, version), doomed); !moved) return moved;
  return remove_tree(doomed);
}

}  // namespace slipway::install_layout
