#include "agent/memory.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>

namespace slipway {

namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool constant_file = false;  // of a file, private, never writable now
};

// "55b0...-55b1... r-xp 00000000 00:1f 1234   /usr/bin/slipway-agent"; false: not such a line.
bool read_header(const std::string& line, Mapping& mapping) {
  const char* const end = line.data() + line.size();
  std::uintptr_t first = 0;
  std::uintptr_t last = 0;
  const auto begin_read = std::from_chars(line.data(), end, first, 16);
  if (begin_read.ec != std::errc{} || begin_read.ptr == end || *begin_read.ptr != '-') return false;
  const auto end_read = std::from_chars(begin_read.ptr + 1, end, last, 16);
  if (end_read.ec != std::errc{} || end - end_read.ptr < 6) return false;
  const std::string permissions(end_read.ptr + 1, 4);
  mapping.begin = first;
  mapping.end = last;
  mapping.constant_file = (permissions == "r-xp" || permissions == "r--p") &&
                          line.find(" /", line.size() > 40 ? 40 : 0) != std::string::npos;
  return true;
}

}  // namespace

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  if (!(statm >> all >> resident)) return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void release_idle_memory() {
  ::malloc_trim(0);
  std::ifstream smaps("/proc/self/smaps");
  Mapping mapping;
  std::string line;
  while (std::getline(smaps, line)) {
    if (read_header(line, mapping)) continue;
    // Pages that relocation has written count as anonymous: such a mapping is left alone, its content is
    // nowhere else.
    if (line.rfind("Anonymous:", 0) != 0 || !mapping.constant_file || line.find(" 0 kB") == std::string::npos)
      continue;
    void* const start =
        reinterpret_cast<void*>(mapping.begin);  // NOLINT(performance-no-int-to-ptr): an address from /proc
    ::madvise(start, mapping.end - mapping.begin, MADV_DONTNEED);
    mapping.constant_file = false;
  }
}

}  // namespace slipway
