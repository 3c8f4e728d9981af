#pragma once
// libarchive behind three calls: members one after the other, names and sizes already checked. Private to this folder.
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "common/archive/unpack.hpp"
#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

struct archive;
struct archive_entry;

namespace slipway {

enum class MemberKind { file, folder, symbolic_link, hard_link };

struct Member {
  MemberKind kind = MemberKind::file;
  std::string path;         // relative, no "." or ".." parts, no trailing slash; empty: the root folder itself
  std::string link_target;  // hard links: checked like `path`
  bool executable = false;
  std::uint64_t size = 0;   // announced; read() counts what really comes
};

class ArchiveReader {
 public:
  static Result<ArchiveReader> open(const std::string& path, const UnpackLimits& limits);

  // The next member; nullopt at the end. What is left of the one before is skipped.
  Result<std::optional<Member>> next();
  // Content of the present file member; 0 at its end.
  Result<std::size_t> read(std::span<char> buffer);
  // An error about the present member, with the archive's name.
  Error refuse(const std::string& member, std::string_view why) const;

 private:
  struct Close {
    void operator()(::archive* handle) const;
  };
  ArchiveReader() = default;
  Status start();
  Error broken(std::string_view doing) const;
  Status check_packing() const;
  Result<std::optional<Member>> end(std::int64_t before_end) const;
  Result<Member> check(::archive_entry* entry);
  Status check_name(const std::string& raw, std::string& clean) const;
  Status check_link_target(const std::string& raw, const std::string& target) const;
  Result<MemberKind> kind_of(::archive_entry* entry, const std::string& raw) const;
  Status count(std::uint64_t& total, std::uint64_t bytes) const;

  std::string path_;
  UnpackLimits limits_;
  UniqueFd fd_;
  std::uint64_t archive_bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t announced_bytes_ = 0;  // by headers: bounds what is skipped
  std::uint64_t read_bytes_ = 0;
  std::string current_;
  std::set<std::string> seen_;
  std::unique_ptr<::archive, Close> handle_;
};

}  // namespace slipway
