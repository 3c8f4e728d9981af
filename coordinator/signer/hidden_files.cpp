#include "coordinator/signer/hidden_files.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "common/core/unique_fd.hpp"
#include "common/files/tree.hpp"

namespace slipway::signer {

namespace {

constexpr std::uint64_t k_of_files =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
// Without REFER, which came with version 2, no file can be moved from one folder to another.
constexpr std::uint64_t k_all = k_of_files | LANDLOCK_ACCESS_FS_REFER;
constexpr long k_version = 2;

// glibc 2.36 has no functions for these.
long version() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

// Allows what Landlock can only allow: all of a tree but the hidden paths, as the entries beside the way down
// to each.
class Granter {
 public:
  Granter(int rules, const std::vector<std::string>& hidden) : rules_(rules), hidden_(hidden) {}

  Status grant(const std::string& path) {
    if (std::find(hidden_.begin(), hidden_.end(), path) != hidden_.end()) return {};
    const std::string below = path == "/" ? path : path + "/";
    const bool above = std::any_of(hidden_.begin(), hidden_.end(),
                                   [&below](const std::string& one) { return one.starts_with(below); });
    if (!above) return allow(path);
    const auto names = list_dir(path);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (const auto granted = grant(below + name); !granted) return granted;
    }
    return {};
  }

 private:
  Status allow(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    // What is gone or not ours to see is none of ours to open.
    if (!fd || ::fstat(fd.get(), &info) != 0 || S_ISLNK(info.st_mode)) return {};
    const landlock_path_beneath_attr rule{S_ISDIR(info.st_mode) ? k_all : k_of_files, fd.get()};
    if (::syscall(SYS_landlock_add_rule, rules_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
    return from_errno("allowing " + path, errno);
  }

  int rules_;
  const std::vector<std::string>& hidden_;
};

std::vector<std::string> canonical(const std::vector<std::string>& paths) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    std::error_code ignored;
    const auto real = std::filesystem::weakly_canonical(path, ignored);
    if (!ignored) all.push_back(real.string());
  }
  return all;
}

}  // namespace

Result<bool> hide_files(const std::vector<std::string>& paths) {
  if (version() < k_version) return false;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = k_all;
  const UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (!rules) return from_errno("hiding files", errno);
  const std::vector<std::string> hidden = canonical(paths);
  if (const auto granted = Granter(rules.get(), hidden).grant("/"); !granted)
    return error_of(granted, "hiding files");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return from_errno("giving up new privileges", errno);
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return from_errno("hiding files", errno);
  return true;
}

}  // namespace slipway::signer
