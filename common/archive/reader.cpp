#include "common/archive/reader.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_block_bytes = 64 * 1024;
constexpr std::uint64_t k_ratio_free_bytes = 64ULL << 20;

// A name for messages: what a terminal should not get is replaced, length is bounded.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, 200));
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

bool has_control_character(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// In the C locale the plain getters give nothing for names beyond ASCII.
std::string text_of(const char* plain, const char* utf8) {
  if (plain != nullptr) return plain;
  return utf8 != nullptr ? utf8 : "";
}

}  // namespace

void ArchiveReader::Close::operator()(::archive* handle) const { ::archive_read_free(handle); }

Result<ArchiveReader> ArchiveReader::open(const std::string& path, const UnpackLimits& limits) {
  ArchiveReader reader;
  reader.path_ = path;
  reader.limits_ = limits;
  if (Status started = reader.start(); !started) return started.error();
  return reader;
}

Status ArchiveReader::start() {
  fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) return from_errno("open archive " + path_, errno);
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return from_errno("stat archive " + path_, errno);
  if (!S_ISREG(info.st_mode)) return make_error(Errc::invalid, "open archive " + path_ + ": not a regular file");
  archive_bytes_ = static_cast<std::uint64_t>(info.st_size);

  handle_.reset(::archive_read_new());
  if (!handle_) return make_error(Errc::internal, "open archive " + path_ + ": out of memory");
  ::archive* a = handle_.get();
  // Filters that libarchive would run as outside programs are not in this list, and must not be.
  if (::archive_read_support_format_tar(a) != ARCHIVE_OK || ::archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
      ::archive_read_support_filter_xz(a) != ARCHIVE_OK || ::archive_read_support_filter_zstd(a) != ARCHIVE_OK) {
    return broken("prepare for");
  }
  if (::archive_read_open_fd(a, fd_.get(), k_block_bytes) != ARCHIVE_OK) return broken("open archive");
  return check_packing();
}

Error ArchiveReader::broken(std::string_view doing) const {
  const char* why = ::archive_error_string(handle_.get());
  std::string text = std::string(doing) + " " + path_;
  if (!current_.empty()) text += " at " + printable(current_);
  return make_error(Errc::corrupt, text + ": " + (why != nullptr ? lower(why) : "not a tar archive (plain, gzip, xz or zstd)"));
}

Error ArchiveReader::refuse(const std::string& member, std::string_view why) const {
  return make_error(Errc::corrupt, "archive " + path_ + " refused: member " + printable(member) + ": " + std::string(why));
}

// libarchive takes the end of the bytes for the end of the archive. A tar ends with a block of zeros (POSIX pax, "ustar Interchange Format"):
// where there is none, it was cut between two members, and what is missing nobody can tell. Only a cut right behind a pax header for all members
// looks like an end from here.
Result<std::optional<Member>> ArchiveReader::end(std::int64_t before_end) const {
  if (entries_ == 0) return make_error(Errc::corrupt, "archive " + path_ + " refused: it has no members");
  if (::archive_filter_bytes(handle_.get(), 0) > before_end) return std::optional<Member>();
  return make_error(Errc::corrupt, "archive " + path_ + " refused: it was cut: the blocks that end an archive are missing");
}

// Nobody packs twice but to hide how much comes out.
Status ArchiveReader::check_packing() const {
  constexpr int k_plain_and_one = 2;  // the file itself counts
  if (::archive_filter_count(handle_.get()) <= k_plain_and_one) return {};
  return make_error(Errc::corrupt, "archive " + path_ + " refused: it is compressed more than once");
}

Result<std::optional<Member>> ArchiveReader::next() {
  // By hand, so that what the next header takes can be told from what is left of the member before.
  if (entries_ > 0 && ::archive_read_data_skip(handle_.get()) != ARCHIVE_OK) return broken("read archive");
  const std::int64_t before = ::archive_filter_bytes(handle_.get(), 0);
  ::archive_entry* entry = nullptr;
  const int got = ::archive_read_next_header(handle_.get(), &entry);
  if (got == ARCHIVE_EOF) return end(before);
  // A warning (a header that could not be read in full) is an error here: what was meant is not known.
  if (got != ARCHIVE_OK) return broken("read archive");
  if (++entries_ > limits_.max_entries) {
    return make_error(Errc::corrupt, "archive " + path_ + " refused: more than " + std::to_string(limits_.max_entries) + " members");
  }
  Result<Member> member = check(entry);
  if (!member) return member.error();
  return std::optional<Member>(std::move(*member));
}

Result<Member> ArchiveReader::check(::archive_entry* entry) {
  const std::string raw = text_of(::archive_entry_pathname(entry), ::archive_entry_pathname_utf8(entry));
  current_ = raw;
  Member member;
  Result<MemberKind> kind = kind_of(entry, raw);
  if (!kind) return kind.error();
  member.kind = *kind;
  if (Status named = check_name(raw, member.path); !named) return named.error();
  if (member.path.empty() && member.kind != MemberKind::folder) return refuse(raw, "it has no name");
  if (!seen_.insert(member.path).second) return refuse(raw, "the name is there twice");

  const auto mode = ::archive_entry_perm(entry);
  if ((mode & (S_ISUID | S_ISGID)) != 0 && member.kind != MemberKind::folder) return refuse(raw, "it is setuid or setgid");
  member.executable = (mode & S_IXUSR) != 0;
  if (member.kind == MemberKind::symbolic_link) {
    member.link_target = text_of(::archive_entry_symlink(entry), ::archive_entry_symlink_utf8(entry));
    if (Status target = check_link_target(raw, member.link_target); !target) return target.error();
  } else if (member.kind == MemberKind::hard_link) {
    const std::string target = text_of(::archive_entry_hardlink(entry), ::archive_entry_hardlink_utf8(entry));
    if (Status named = check_name(target, member.link_target); !named) return named.error();
  }
  if (::archive_entry_size_is_set(entry) == 0) return member;
  const auto size = ::archive_entry_size(entry);
  if (size < 0) return refuse(raw, "its size is negative");
  // Refused by its own announcement before a byte is written; also of what is only skipped, as the list in a folder of GNU tar's dumps.
  if (Status counted = count(announced_bytes_, static_cast<std::uint64_t>(size)); !counted) return counted.error();
  if (member.kind == MemberKind::file) member.size = static_cast<std::uint64_t>(size);
  return member;
}

Result<MemberKind> ArchiveReader::kind_of(::archive_entry* entry, const std::string& raw) const {
  if (::archive_entry_hardlink(entry) != nullptr || ::archive_entry_hardlink_utf8(entry) != nullptr) return MemberKind::hard_link;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG: return MemberKind::file;
    case AE_IFDIR: return MemberKind::folder;
    case AE_IFLNK: return MemberKind::symbolic_link;
    case AE_IFCHR:
    case AE_IFBLK: return refuse(raw, "it is a device");
    case AE_IFIFO: return refuse(raw, "it is a FIFO");
    case AE_IFSOCK: return refuse(raw, "it is a socket");
    default: return refuse(raw, "it is of an unknown type");
  }
}

Status ArchiveReader::check_name(const std::string& raw, std::string& clean) const {
  if (raw.empty()) return refuse(raw, "it has no name");
  if (raw.size() > limits_.max_path_bytes) return refuse(raw, "its name is too long");
  if (raw.front() == '/') return refuse(raw, "its name is absolute");
  if (has_control_character(raw)) return refuse(raw, "its name has control characters");
  std::size_t depth = 0;
  for (const std::string_view part : split(raw, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(raw, "its name has '..'");
    if (part.size() > 255) return refuse(raw, "a part of its name is too long");
    if (++depth > limits_.max_depth) return refuse(raw, "it lies too deep");
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return {};
}

// Where it leads is looked at when it is made. It comes to stand in the manifest of what was unpacked, a line each.
Status ArchiveReader::check_link_target(const std::string& raw, const std::string& target) const {
  if (target.size() > limits_.max_path_bytes) return refuse(raw, "where it leads is too long");
  if (has_control_character(target)) return refuse(raw, "where it leads has control characters");
  return {};
}

Status ArchiveReader::count(std::uint64_t& total, std::uint64_t bytes) const {
  // Compared before it is added: announced sizes may be made to overflow.
  if (bytes > limits_.max_bytes || total > limits_.max_bytes - bytes) {
    return make_error(Errc::corrupt, "archive " + path_ + " refused: more than " + std::to_string(limits_.max_bytes) + " bytes unpacked");
  }
  total += bytes;
  if (total > k_ratio_free_bytes && total / limits_.max_ratio > archive_bytes_) {
    return make_error(Errc::corrupt, "archive " + path_ + " refused: it unpacks to more than " +
                                         std::to_string(limits_.max_ratio) + " times its size");
  }
  return {};
}

Result<std::size_t> ArchiveReader::read(std::span<char> buffer) {
  const auto got = ::archive_read_data(handle_.get(), buffer.data(), buffer.size());
  if (got < 0) return broken("read archive");
  if (Status counted = count(read_bytes_, static_cast<std::uint64_t>(got)); !counted) return counted.error();
  return static_cast<std::size_t>(got);
}

}  // namespace slipway
