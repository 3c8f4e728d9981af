#include "coordinator/ca/ca_passphrase.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 1024;
constexpr std::size_t k_min = 8, k_max = 1000;
constexpr const char* k_credential = "/ca-passphrase";

Result<Secret> checked(const Secret& text, const std::string& path) {
  std::string_view words = text.reveal();
  while (!words.empty() && (words.back() == '\n' || words.back() == '\r')) words.remove_suffix(1);
  if (words.size() < k_min || words.size() > k_max) {
    return make_error(Errc::invalid, path + ": a passphrase of the CA keys has " + std::to_string(k_min) + " to " + std::to_string(k_max) +
                                         " bytes; make one with: openssl rand -base64 32");
  }
  return Secret(std::string(words));
}

Status check_owner_of(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return from_errno("look at the passphrase file " + path, errno);
  if (info.st_uid == ::geteuid() || info.st_uid == 0) return {};
  return make_error(Errc::denied, path + " belongs to user id " + std::to_string(info.st_uid) + "; run: chown " + std::to_string(::geteuid()) + " " + path);
}

}  // namespace

Result<std::optional<Secret>> find_ca_passphrase(const std::string& file, const std::string& credentials_dir) {
  if (!file.empty()) {
    if (const auto owned = check_owner_of(file); !owned) return owned.error();
    const auto text = read_secret_file(file, k_max_file);
    if (!text) return error_of(text, "reading the passphrase of the CA keys");
    auto passphrase = checked(*text, file);
    if (!passphrase) return passphrase.error();
    return std::optional<Secret>(std::move(*passphrase));
  }
  if (credentials_dir.empty()) return std::optional<Secret>();
  // systemd shows it to this service alone; its mode needs no check.
  auto text = read_file(credentials_dir + k_credential, k_max_file);
  if (!text && text.error().code == Errc::not_found) return std::optional<Secret>();
  if (!text) return error_of(text, "reading the credential ca-passphrase");
  auto passphrase = checked(Secret(std::move(*text)), "the credential ca-passphrase");
  if (!passphrase) return passphrase.error();
  return std::optional<Secret>(std::move(*passphrase));
}

std::string credentials_dir() {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder == nullptr ? std::string() : std::string(folder);
}

}  // namespace slipway
