#include "coordinator/store/store_space.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace slipway {

Result<StoreSpace> space_of_store(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return from_errno("reading the size of " + file, errno);
  StoreSpace space;
  space.place = file;
  space.size = static_cast<std::uint64_t>(facts.st_size);
  if (::stat((file + "-wal").c_str(), &facts) == 0) space.size += static_cast<std::uint64_t>(facts.st_size);
  struct statvfs room {};
  if (::statvfs(file.c_str(), &room) != 0) return from_errno("reading the free space beside " + file, errno);
  space.free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  space.writable = (room.f_flag & ST_RDONLY) == 0 && ::access(file.c_str(), W_OK) == 0;
  return space;
}

}  // namespace slipway
