#pragma once
// Tar archives byte by byte, so that they can be wrong in every way.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace slipway::test {

struct TarMember {
  std::string name;
  std::string content = "";
  char type = '0';  // 0 file, 1 hard link, 2 symbolic link, 3 character device, 4 block device, 5 folder, 6 FIFO
  std::string link = "";
  unsigned mode = 0644;
};

inline std::string tar_header(const TarMember& member, std::size_t size) {
  char block[512] = {};
  std::memcpy(block, member.name.data(), std::min<std::size_t>(member.name.size(), 100));
  std::snprintf(block + 100, 8, "%07o", member.mode);
  std::snprintf(block + 108, 8, "%07o", 0U);
  std::snprintf(block + 116, 8, "%07o", 0U);
  std::snprintf(block + 124, 12, "%011zo", size);
  std::snprintf(block + 136, 12, "%011o", 0U);
  std::memset(block + 148, ' ', 8);
  block[156] = member.type;
  std::memcpy(block + 157, member.link.data(), std::min<std::size_t>(member.link.size(), 100));
  std::memcpy(block + 257, "ustar\00000", 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(block + 148, 8, "%06o", sum);
  return std::string(block, sizeof block);
}

inline std::string tar_text(const std::vector<TarMember>& members) {
  std::string text;
  for (const TarMember& member : members) {
    text += tar_header(member, member.content.size()) + member.content;
    text.append((512 - member.content.size() % 512) % 512, '\0');
  }
  return text + std::string(1024, '\0');
}

// With the filter of that name: gzip, xz, zstd.
inline std::string compressed(const std::string& bytes, const char* filter) {
  std::string out(bytes.size() + 65536, '\0');
  std::size_t used = 0;
  archive* a = archive_write_new();
  archive_write_add_filter_by_name(a, filter);
  archive_write_set_format_raw(a);
  archive_write_set_bytes_in_last_block(a, 1);
  if (archive_write_open_memory(a, out.data(), out.size(), &used) != ARCHIVE_OK) throw std::runtime_error("no filter");
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, 0100000);
  archive_write_header(a, entry);
  archive_write_data(a, bytes.data(), bytes.size());
  archive_write_free(a);
  archive_entry_free(entry);
  return out.substr(0, used);
}

}  // namespace slipway::test
