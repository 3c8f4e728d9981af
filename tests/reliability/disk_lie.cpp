// A disk that lies, for LD_PRELOAD: after SLIPWAY_LIE_AFTER syncs of the store's log, writes to it vanish and syncs say that all is well. So
// it looks to its clients as if the coordinator answered before it was durable. With SLIPWAY_LIE_MARK these writes count as failed: the
// file of that name tells when, and the coordinator behaves like one that does not look at its errors.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

std::atomic<long> g_syncs{0};

long lie_after() {
  static const char* const text = std::getenv("SLIPWAY_LIE_AFTER");
  return text == nullptr ? -1 : std::atol(text);
}

bool is_log(int fd) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, path, sizeof path);
  return length > 0 && std::string_view(path, static_cast<std::size_t>(length)).ends_with("/state.db-wal");
}

bool lies(int fd) { return lie_after() >= 0 && g_syncs >= lie_after() && is_log(fd); }

void mark() {
  const char* const path = std::getenv("SLIPWAY_LIE_MARK");
  if (path == nullptr) return;
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

using Write = ssize_t (*)(int, const void*, size_t, off64_t);
using Sync = int (*)(int);

ssize_t write_or_lie(const char* name, int fd, const void* data, size_t size, off64_t at) {
  if (!lies(fd)) return next<Write>(name)(fd, data, size, at);
  mark();
  return static_cast<ssize_t>(size);
}

int sync_or_lie(const char* name, int fd) {
  if (lies(fd)) return 0;
  const int done = next<Sync>(name)(fd);
  if (is_log(fd)) ++g_syncs;
  return done;
}

}  // namespace

extern "C" {
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) { return write_or_lie("pwrite64", fd, data, size, at); }
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) { return write_or_lie("pwrite", fd, data, size, at); }
int fdatasync(int fd) { return sync_or_lie("fdatasync", fd); }
int fsync(int fd) { return sync_or_lie("fsync", fd); }
}
