#include "tests/support/fault_vfs.hpp"

#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>

#include "tests/support/temp_dir.hpp"

namespace slipway::test {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_sector = 512;
constexpr char k_shared_memory[] = "-shm";

bool is_shared_memory(const std::string& name) { return name.ends_with(k_shared_memory); }

enum class Step { create, remove, write, truncate, sync, sync_dir };
constexpr const char* k_step_names[] = {"create", "remove", "write", "truncate", "sync", "sync folder"};

struct Entry {
  Step step{};
  std::size_t inode = 0;
  std::string name;
  std::size_t offset = 0;  // of a write; the new size of a truncation
  std::string bytes;
  bool failed = false;
};

void change_bytes(std::string& content, const Entry& entry, std::size_t length) {
  if (entry.step == Step::truncate) {
    content.resize(entry.offset);
    return;
  }
  if (content.size() < entry.offset + length) content.resize(entry.offset + length);
  content.replace(entry.offset, length, entry.bytes, 0, length);
}

// Which of `count` changes that were not synced survive, and how much of each.
class Survivors {
 public:
  Survivors(Leftover leftover, std::size_t seed) : leftover_(leftover), random_(static_cast<std::minstd_rand::result_type>(seed + 1)) {}
  // The number of bytes that survive of change `index`; npos: none, not even as a change of the size.
  std::size_t length(std::size_t index, std::size_t count, std::size_t size) {
    switch (leftover_) {
      case Leftover::nothing: return std::string::npos;
      case Leftover::everything: return size;
      case Leftover::last_only: return index + 1 == count ? size : std::string::npos;
      case Leftover::torn_prefix:
        if (index + 1 == (count + 1) / 2) return torn(size);
        return index + 1 < (count + 1) / 2 ? size : std::string::npos;
      case Leftover::some: break;
    }
    const auto dice = random_() % 4;
    if (dice == 0) return torn(size);
    return dice == 1 ? std::string::npos : size;
  }
  // Names change in order.
  std::size_t names(std::size_t count) {
    if (leftover_ == Leftover::nothing) return 0;
    if (leftover_ == Leftover::torn_prefix) return (count + 1) / 2;
    return leftover_ == Leftover::some ? random_() % (count + 1) : count;
  }

 private:
  static std::size_t torn(std::size_t size) { return size / 2 / k_sector * k_sector; }
  Leftover leftover_;
  std::minstd_rand random_;
};

struct Change {
  const Entry* entry;
  enum { pending, durable, doubtful } state;
};

// Replays a log: what is safe, what is not.
struct Replay {
  std::vector<std::string> contents;
  std::vector<std::vector<Change>> changes;
  std::map<std::string, std::size_t> names;
  std::vector<const Entry*> name_changes;

  std::size_t inodes() const { return contents.size(); }
  void apply_name(const Entry& entry) {
    if (entry.step == Step::create) names[entry.name] = entry.inode;
    if (entry.step == Step::remove) names.erase(entry.name);
  }
  void apply(const Entry& entry) {
    switch (entry.step) {
      case Step::create:
        contents.resize(std::max(inodes(), entry.inode + 1));
        changes.resize(inodes());
        name_changes.push_back(&entry);
        return;
      case Step::remove:
        if (!entry.failed) name_changes.push_back(&entry);
        return;
      case Step::write:
      case Step::truncate:
        if (!entry.failed || !entry.bytes.empty()) changes[entry.inode].push_back({&entry, Change::pending});
        return;
      case Step::sync:
        // After a failed sync the system takes the pages for clean: a later sync does not write them.
        for (Change& change : changes[entry.inode]) {
          if (change.state == Change::pending) change.state = entry.failed ? Change::doubtful : Change::durable;
        }
        return;
      case Step::sync_dir:
        if (entry.failed) return;
        for (const Entry* change : name_changes) apply_name(*change);
        name_changes.clear();
        return;
    }
  }
  std::string survived(std::size_t inode, Survivors& survivors) const {
    std::string content = contents[inode];
    const auto& all = changes[inode];
    const auto count = static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const Change& change) { return change.state != Change::durable; }));
    std::size_t index = 0;
    for (const Change& change : all) {
      const std::size_t size = change.entry->bytes.size();
      const std::size_t length = change.state == Change::durable ? size : survivors.length(index++, count, size);
      if (length != std::string::npos) change_bytes(content, *change.entry, length);
    }
    return content;
  }
};

struct FaultFile {
  sqlite3_file base;  // first: SQLite sees only this
  FaultDisk::Impl* disk;
  std::size_t inode;
  bool logged;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FaultFile& ours(sqlite3_file* file) { return *reinterpret_cast<FaultFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return ours(file).real(); }

FaultDisk::Impl* active = nullptr;

}  // namespace

struct FaultDisk::Impl {
  std::string dir;
  sqlite3_vfs* base = nullptr;
  sqlite3_vfs vfs{};
  Replay start;  // what was there at the beginning
  std::vector<Entry> log;
  std::map<std::string, std::size_t> names;  // as the process sees them
  std::size_t inodes = 0;
  std::size_t operations = 0;
  DiskFault fault;
  std::string failed_what;
  std::size_t failed_position = 0;

  bool is_here(const std::string& path) const { return fs::path(path).parent_path() == fs::path(dir); }

  // Counts and logs. False: it must fail.
  bool note(Entry entry) {
    ++operations;
    const bool may_fail = !fault.full || entry.step == Step::write || entry.step == Step::truncate;
    const bool due = fault.at != 0 && (fault.lasting ? operations >= fault.at : operations == fault.at);
    entry.failed = due && may_fail;
    const bool works = !entry.failed;
    if (!works) {
      if (failed_what.empty()) {
        failed_what = std::string(k_step_names[static_cast<int>(entry.step)]) + " " + entry.name;
        failed_position = log.size();
      }
      entry.bytes.resize(fault.torn ? entry.bytes.size() / 2 : 0);
    }
    log.push_back(std::move(entry));
    return works;
  }
  int code(int io_error) const { return fault.full ? SQLITE_FULL : io_error; }
  std::string name_of(std::size_t inode) const {
    for (const auto& [name, number] : names) {
      if (number == inode) return name;
    }
    return "?";
  }
  int open(FaultFile& file, const char* name) {
    const std::string path = name == nullptr ? "" : name;
    file.logged = is_here(path);
    if (!file.logged) return SQLITE_OK;
    const std::string base_name = fs::path(path).filename();
    const auto [found, made] = names.try_emplace(base_name, inodes);
    file.inode = found->second;
    if (made) log.push_back({Step::create, inodes++, base_name, 0, "", false});
    return SQLITE_OK;
  }
};

namespace {

int vfs_close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
int vfs_read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return real(file)->pMethods->xRead(real(file), to, size, offset);
}
int vfs_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  FaultFile& mine = ours(file);
  const auto put = [&](int length) { return real(file)->pMethods->xWrite(real(file), from, length, offset); };
  if (!mine.logged) return put(size);
  Entry entry{Step::write, mine.inode, mine.disk->name_of(mine.inode), static_cast<std::size_t>(offset),
              std::string(static_cast<const char*>(from), static_cast<std::size_t>(size)), false};
  if (mine.disk->note(std::move(entry))) return put(size);
  if (mine.disk->fault.torn) (void)put(size / 2);
  return mine.disk->code(SQLITE_IOERR_WRITE);
}
int vfs_truncate(sqlite3_file* file, sqlite3_int64 size) {
  FaultFile& mine = ours(file);
  const auto number = static_cast<std::size_t>(size);
  if (mine.logged && !mine.disk->note({Step::truncate, mine.inode, mine.disk->name_of(mine.inode), number, "", false}))
    return mine.disk->code(SQLITE_IOERR_TRUNCATE);
  return real(file)->pMethods->xTruncate(real(file), size);
}
int vfs_sync(sqlite3_file* file, int flags) {
  FaultFile& mine = ours(file);
  if (mine.logged && !mine.disk->note({Step::sync, mine.inode, mine.disk->name_of(mine.inode), 0, "", false}))
    return SQLITE_IOERR_FSYNC;
  return real(file)->pMethods->xSync(real(file), flags);  // syncs the folder of a new log, too: see fsync() below
}
int vfs_size(sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); }
int vfs_lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
int vfs_unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
int vfs_check_lock(sqlite3_file* file, int* out) { return real(file)->pMethods->xCheckReservedLock(real(file), out); }
int vfs_control(sqlite3_file* file, int op, void* arg) { return real(file)->pMethods->xFileControl(real(file), op, arg); }
int vfs_sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int vfs_traits(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
int vfs_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int vfs_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void vfs_shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int vfs_shm_unmap(sqlite3_file* file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); }

const sqlite3_io_methods k_methods = {2,          vfs_close,  vfs_read,       vfs_write,   vfs_truncate, vfs_sync,    vfs_size,
                                      vfs_lock,   vfs_unlock, vfs_check_lock, vfs_control, vfs_sector,   vfs_traits,  vfs_shm_map,
                                      vfs_shm_lock, vfs_shm_barrier, vfs_shm_unmap, nullptr, nullptr};

FaultDisk::Impl& disk_of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk::Impl*>(vfs->pAppData); }

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  FaultDisk::Impl& disk = disk_of(vfs);
  FaultFile& mine = ours(file);
  mine.base.pMethods = nullptr;
  mine.disk = &disk;
  const int code = disk.base->xOpen(disk.base, name, mine.real(), flags, out_flags);
  if (mine.real()->pMethods != nullptr) mine.base.pMethods = &k_methods;
  return code == SQLITE_OK ? disk.open(mine, name) : code;
}
int vfs_delete(sqlite3_vfs* vfs, const char* path, int sync_dir) {
  FaultDisk::Impl& disk = disk_of(vfs);
  const std::string name = fs::path(path).filename();
  const bool known = disk.is_here(path) && disk.names.contains(name);
  if (known && !disk.note({Step::remove, disk.names[name], name, 0, "", false})) return SQLITE_IOERR_DELETE;
  if (known) disk.names.erase(name);
  return disk.base->xDelete(disk.base, path, sync_dir);
}
int vfs_access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
  return disk_of(vfs).base->xAccess(disk_of(vfs).base, path, flags, out);
}
int vfs_full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  return disk_of(vfs).base->xFullPathname(disk_of(vfs).base, path, size, out);
}

}  // namespace

FaultDisk::FaultDisk(const std::string& dir) : impl_(std::make_unique<Impl>()) {
  if (active != nullptr) throw std::logic_error("one fault disk at a time");
  impl_->dir = fs::canonical(dir);
  for (const auto& file : fs::directory_iterator(impl_->dir)) {
    const std::string name = file.path().filename();
    if (is_shared_memory(name)) continue;
    impl_->names[name] = impl_->inodes++;
    impl_->start.contents.push_back(get_file(file.path()));
  }
  impl_->start.names = impl_->names;
  impl_->start.changes.resize(impl_->inodes);
  impl_->base = sqlite3_vfs_find(nullptr);
  impl_->vfs = *impl_->base;
  impl_->vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + impl_->base->szOsFile;
  impl_->vfs.zName = "fault";
  impl_->vfs.pNext = nullptr;
  impl_->vfs.pAppData = impl_.get();
  impl_->vfs.xOpen = vfs_open;
  impl_->vfs.xDelete = vfs_delete;
  impl_->vfs.xAccess = vfs_access;
  impl_->vfs.xFullPathname = vfs_full_path;
  sqlite3_vfs_register(&impl_->vfs, 1);
  active = impl_.get();
}

FaultDisk::~FaultDisk() { unplug(); }

void FaultDisk::unplug() {
  if (active != impl_.get()) return;
  active = nullptr;
  sqlite3_vfs_unregister(&impl_->vfs);
  sqlite3_vfs_register(impl_->base, 1);
}

void FaultDisk::fail(const DiskFault& fault) { impl_->fault = fault; }
bool FaultDisk::failed() const { return !impl_->failed_what.empty(); }
std::string FaultDisk::failed_what() const { return impl_->failed_what; }
std::size_t FaultDisk::failed_position() const { return impl_->failed_position; }
std::size_t FaultDisk::operations() const { return impl_->operations; }
std::size_t FaultDisk::position() const { return impl_->log.size(); }
bool FaultDisk::wrote_to(const std::string& name, std::size_t before_position) const {
  const auto end = impl_->log.begin() + static_cast<std::ptrdiff_t>(before_position);
  return std::any_of(impl_->log.begin(), end, [&](const Entry& entry) { return entry.step == Step::write && entry.name == name; });
}

std::map<std::string, std::string> FaultDisk::image(std::size_t position, Leftover leftover) const {
  Replay replay = impl_->start;
  for (std::size_t i = 0; i < position; ++i) replay.apply(impl_->log.at(i));
  Survivors survivors(leftover, position);
  const std::size_t kept_names = survivors.names(replay.name_changes.size());
  for (std::size_t i = 0; i < kept_names; ++i) replay.apply_name(*replay.name_changes[i]);
  std::map<std::string, std::string> files;
  for (const auto& [name, inode] : replay.names) files[name] = replay.survived(inode, survivors);
  return files;
}

void FaultDisk::lay_down(const std::string& to_dir, std::size_t position, Leftover leftover) const {
  for (const auto& [name, content] : image(position, leftover)) put_file(to_dir + "/" + name, content);
}

namespace {

int sync_hook(int fd, long call) {
  if (active == nullptr) return static_cast<int>(::syscall(call, fd));
  std::error_code failed;
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), failed);
  if (failed || path != fs::path(active->dir)) return 0;  // a file: counted by vfs_sync()
  if (active->note({Step::sync_dir, 0, ".", 0, "", false})) return 0;
  errno = EIO;
  return -1;
}

}  // namespace

}  // namespace slipway::test

// Instead of the C library's: the dynamic linker prefers the program's own, for libsqlite3, too.
extern "C" int fsync(int fd) { return slipway::test::sync_hook(fd, SYS_fsync); }
extern "C" int fdatasync(int fd) { return slipway::test::sync_hook(fd, SYS_fdatasync); }
