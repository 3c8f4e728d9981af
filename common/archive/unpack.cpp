#include "common/archive/unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "common/archive/reader.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_chunk_bytes = 256 * 1024;
constexpr int k_open_folder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int k_create_file = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

Status copy_content(ArchiveReader& reader, int to, const std::string& name) {
  auto buffer = std::make_unique<std::array<char, k_chunk_bytes>>();
  for (;;) {
    Result<std::size_t> got = reader.read(*buffer);
    if (!got) return got.error();
    if (*got == 0) return {};
    std::string_view left(buffer->data(), *got);
    while (!left.empty()) {
      const ssize_t written = ::write(to, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return from_errno("write " + name, errno);
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

std::string last_part(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// "../" only at the front and not more of it than folders above: with every folder on the way a real one, such a link cannot
// lead out, and links through such links cannot either.
bool stays_inside(const Member& link) {
  if (link.link_target.empty() || link.link_target.front() == '/') return false;
  std::size_t depth = split(link.path, '/').size() - 1;
  bool descending = false;
  for (const std::string_view part : split(link.link_target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      descending = true;
    } else if (descending || depth-- == 0) {
      return false;
    }
  }
  return true;
}

// Writes members below one folder; every step down is an openat() that follows no link.
class Unpacker {
 public:
  Unpacker(ArchiveReader& reader, UniqueFd root, std::string root_path)
      : reader_(reader), root_(std::move(root)), root_path_(std::move(root_path)) {}

  Status place(const Member& member) {
    if (member.path.empty()) return {};
    const bool is_folder = member.kind == MemberKind::folder;
    Result<UniqueFd> folder = enter(is_folder ? member.path : parent_or_empty(member.path), true, member.path);
    if (!folder || is_folder) return folder ? Status() : folder.error();
    if (member.kind == MemberKind::file) return place_file(member, folder->get());
    if (member.kind == MemberKind::hard_link) return place_hard_link(member, folder->get());
    if (!stays_inside(member)) return reader_.refuse(member.path, "the link leads out of the archive");
    if (::symlinkat(member.link_target.c_str(), folder->get(), last_part(member.path).c_str()) != 0) {
      return not_made(member, "make link ");
    }
    return {};
  }

 private:
  static std::string parent_or_empty(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
  }
  std::string shown(const std::string& path) const { return root_path_ + "/" + path; }

  // Opens folder `path` below the root, making what is missing.
  Result<UniqueFd> enter(const std::string& path, bool make, const std::string& member) {
    UniqueFd at(::openat(root_.get(), ".", k_open_folder));
    if (!at) return from_errno("open folder " + root_path_, errno);
    if (path.empty()) return at;
    for (const std::string_view part : split(path, '/')) {
      const std::string name(part);
      if (make && ::mkdirat(at.get(), name.c_str(), 0755) == 0) {
        if (::fchmodat(at.get(), name.c_str(), 0755, 0) != 0) return from_errno("set the mode of " + shown(path), errno);
      } else if (make && errno != EEXIST) {
        return from_errno("make folder " + shown(path), errno);
      }
      UniqueFd below(::openat(at.get(), name.c_str(), k_open_folder));
      if (!below && (errno == ENOTDIR || errno == ELOOP)) return reader_.refuse(member, "it lies below something that is no folder");
      if (!below) return from_errno("open folder " + shown(path), errno);
      at = std::move(below);
    }
    return at;
  }

  Status place_file(const Member& member, int folder) {
    UniqueFd fd(::openat(folder, last_part(member.path).c_str(), k_create_file, 0600));
    if (!fd && errno == EEXIST) return reader_.refuse(member.path, "the name is there twice");
    if (!fd) return from_errno("create " + shown(member.path), errno);
    if (Status copied = copy_content(reader_, fd.get(), shown(member.path)); !copied) return copied;
    // Executable only once it is whole.
    if (::fchmod(fd.get(), member.executable ? 0755 : 0644) != 0) return from_errno("set the mode of " + shown(member.path), errno);
    if (::close(fd.release()) != 0) return from_errno("close " + shown(member.path), errno);
    return {};
  }

  Status place_hard_link(const Member& member, int folder) {
    Result<UniqueFd> source = enter(parent_or_empty(member.link_target), false, member.path);
    struct stat info {};
    const std::string name = last_part(member.link_target);
    if (!source || ::fstatat(source->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
      return reader_.refuse(member.path, "a hard link to what is not a file of the archive");
    }
    if (::linkat(source->get(), name.c_str(), folder, last_part(member.path).c_str(), 0) != 0) {
      return not_made(member, "make hard link ");
    }
    return {};
  }

  // By errno. A folder may be there that no member named: one of a file in it made it.
  Error not_made(const Member& member, std::string_view doing) const {
    if (errno == EEXIST) return reader_.refuse(member.path, "the name is there twice");
    return from_errno(std::string(doing) + shown(member.path), errno);
  }

  ArchiveReader& reader_;
  UniqueFd root_;
  std::string root_path_;
};

Status unpack_all(ArchiveReader& reader, const std::string& fresh_dir) {
  UniqueFd root(::open(fresh_dir.c_str(), k_open_folder));
  if (!root) return from_errno("open folder " + fresh_dir, errno);
  Unpacker unpacker(reader, std::move(root), fresh_dir);
  for (;;) {
    Result<std::optional<Member>> member = reader.next();
    if (!member) return member.error();
    if (!*member) return {};
    if (Status placed = unpacker.place(**member); !placed) return placed;
  }
}

// Streams the present member to a temporary file beside `to_path` and renames it.
Status save_member(ArchiveReader& reader, const std::string& to_path) {
  const std::string temporary = to_path + ".tmp-" + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(), k_create_file, 0600));
  if (!fd) return from_errno("create " + temporary, errno);
  Status done = copy_content(reader, fd.get(), temporary);
  if (done && ::fchmod(fd.get(), 0644) != 0) done = from_errno("set the mode of " + temporary, errno);
  if (done && ::fsync(fd.get()) != 0) done = from_errno("fsync " + temporary, errno);
  if (done && ::rename(temporary.c_str(), to_path.c_str()) != 0) done = from_errno("rename " + temporary + " to " + to_path, errno);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_dir(parent_path(to_path));
}

}  // namespace

Status unpack(const std::string& archive_path, const std::string& fresh_dir, const UnpackLimits& limits) {
  Result<ArchiveReader> reader = ArchiveReader::open(archive_path, limits);
  if (!reader) return reader.error();
  if (::mkdir(fresh_dir.c_str(), 0755) != 0) return from_errno("make folder " + fresh_dir, errno);
  Status done = ::chmod(fresh_dir.c_str(), 0755) == 0 ? unpack_all(*reader, fresh_dir)
                                                     : Status(from_errno("set the mode of " + fresh_dir, errno));
  if (done) return done;
  // The first error says what went wrong; a failure to clean up on top of it adds nothing for the reader.
  if (Status removed = remove_tree(fresh_dir); !removed) done = error_of(removed, done.error().message + "; and cleaning up");
  return done;
}

Result<std::vector<ArchiveMember>> list_members(const std::string& archive_path, const UnpackLimits& limits) {
  Result<ArchiveReader> reader = ArchiveReader::open(archive_path, limits);
  if (!reader) return reader.error();
  std::vector<ArchiveMember> members;
  for (;;) {
    Result<std::optional<Member>> member = reader->next();
    if (!member) return member.error();
    if (!*member) return members;
    if ((*member)->path.empty()) continue;
    members.push_back({(*member)->path, (*member)->size, (*member)->kind == MemberKind::file});
  }
}

Status extract_member(const std::string& archive_path, const std::string& member_path, const std::string& to_path,
                      const UnpackLimits& limits) {
  Result<ArchiveReader> reader = ArchiveReader::open(archive_path, limits);
  if (!reader) return reader.error();
  for (;;) {
    Result<std::optional<Member>> member = reader->next();
    if (!member) return member.error();
    if (!*member) return make_error(Errc::not_found, "archive " + archive_path + " has no member " + member_path);
    if ((*member)->path != member_path) continue;
    if ((*member)->kind != MemberKind::file) return reader->refuse(member_path, "it is not a regular file");
    return save_member(*reader, to_path);
  }
}

}  // namespace slipway
