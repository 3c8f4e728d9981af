#include "coordinator/api/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway::api {

namespace {

Result<std::string> digest_of(int fd) {
  Sha256 hash;
  std::string buffer(1 << 20, '\0');
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return from_errno("reading the uploaded content", errno);
    if (got == 0) return hash.finish_hex();
    hash.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
}

}  // namespace

bool is_sha256_hex(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<BlobStore> BlobStore::open(const std::string& data_dir) {
  BlobStore store(data_dir + "/artifacts/sha256", data_dir + "/spool");
  const Status cleared = remove_tree(store.spool_dir_);
  if (!cleared) return error_of(cleared, "emptying the spool");
  for (const std::string& dir : {store.blob_dir_, store.spool_dir_}) {
    const Status made = make_dirs(dir, 0700);
    if (!made) return made.error();
  }
  return store;
}

Status BlobStore::take(const std::string& spooled, const std::string& sha256) const {
  const UniqueFd fd(::open(spooled.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return from_errno("opening the uploaded content", errno);
  const auto digest = digest_of(fd.get());
  if (!digest) return digest.error();
  if (*digest != sha256) {
    return make_error(Errc::corrupt, "the uploaded content has sha256 " + *digest + ", announced was " +
                                         sha256 + "; nothing was kept, upload it again");
  }
  if (::fsync(fd.get()) != 0) return from_errno("syncing the uploaded content", errno);
  if (::rename(spooled.c_str(), path_of(sha256).c_str()) != 0)
    return from_errno("storing the uploaded content", errno);
  return sync_dir(blob_dir_);
}

Status BlobStore::touch(const std::string& sha256) const {
  if (::utimensat(AT_FDCWD, path_of(sha256).c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0) return {};
  if (errno == ENOENT) return make_error(Errc::not_found, "there is no content with sha256 " + sha256);
  return from_errno("touching the content with sha256 " + sha256, errno);
}

Result<std::vector<Blob>> BlobStore::collect(const std::set<std::string>& keep, WallTime older_than, bool dry_run) const {
  const auto names = list_dir(blob_dir_);
  if (!names) return error_of(names, "listing the content");
  const auto is_old = [older_than](const struct stat& info) { return info.st_mtim.tv_sec < older_than.time_since_epoch().count(); };
  std::vector<Blob> removed;
  for (const std::string& name : *names) {
    struct stat info {};
    if (!is_sha256_hex(name) || keep.contains(name) || ::lstat(path_of(name).c_str(), &info) != 0 || !is_old(info)) continue;
    if (!dry_run) {
      // Out of the way first, then a second look: a registration may have touched it since the first.
      const std::string aside = spool_dir_ + "/collected-" + name;
      if (::rename(path_of(name).c_str(), aside.c_str()) != 0) return from_errno("removing the content " + name, errno);
      if (::lstat(aside.c_str(), &info) == 0 && !is_old(info)) {
        if (::rename(aside.c_str(), path_of(name).c_str()) != 0) return from_errno("keeping the content " + name, errno);
        continue;
      }
      if (const Status gone = remove_file(aside); !gone) return gone.error();
    }
    removed.push_back({name, static_cast<std::uint64_t>(info.st_size)});
  }
  if (!dry_run && !removed.empty()) {
    if (const Status synced = sync_dir(blob_dir_); !synced) return synced.error();
  }
  return removed;
}

Result<std::uint64_t> BlobStore::size_of(const std::string& sha256) const {
  struct stat info {};
  if (::stat(path_of(sha256).c_str(), &info) == 0) return static_cast<std::uint64_t>(info.st_size);
  if (errno == ENOENT) return make_error(Errc::not_found, "there is no content with sha256 " + sha256);
  return from_errno("looking for the content with sha256 " + sha256, errno);
}

}  // namespace slipway::api
