// slipway-coordinator ca encrypt|decrypt|passwd.
#include "common/files/dir_lock.hpp"
#include "coordinator/act_as_owner.hpp"
#include "coordinator/ca/convert_keys.hpp"
#include "coordinator/ca/ca_passphrase.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"

namespace slipway {

namespace {

Result<std::optional<Secret>> needed(const std::string& file, const std::string& credentials, const char* option) {
  auto passphrase = find_ca_passphrase(file, credentials);
  if (passphrase && !*passphrase) return make_error(Errc::invalid, std::string("which passphrase? name a file of mode 0600 by ") + option);
  return passphrase;
}

const char* said(ConvertOptions::To to) {
  switch (to) {
    case ConvertOptions::To::encrypted:
      return " keys are encrypted; the service needs the passphrase from now on (credential ca-passphrase or caPassphraseFile)\n";
    case ConvertOptions::To::plain:
      return " keys are plain now; old blocks of the disk may still hold the encrypted ones\n";
    case ConvertOptions::To::other_passphrase:
      return " keys open with the new passphrase only\n";
  }
  return "";
}

}  // namespace

Result<std::string> convert_ca_keys(const ConvertOptions& options) {
  const auto old = needed(options.ca_passphrase_file, credentials_dir(), "--ca-passphrase-file");
  if (!old) return old.error();
  Result<std::optional<Secret>> fresh = std::optional<Secret>();
  if (options.to == ConvertOptions::To::other_passphrase) fresh = needed(options.new_passphrase_file, {}, "--new-passphrase-file");
  if (!fresh) return fresh.error();
  const auto as_owner = ActAsOwner::of(options.data_dir);
  if (!as_owner) return as_owner.error();
  const auto lock = DirLock::acquire(options.data_dir);
  if (!lock)
    return error_of(lock, "the coordinator is running: stop it for the moment (systemctl stop slipway-coordinator)");
  KeyConversion conversion;
  conversion.opens.push_back(&**old);
  if (options.to == ConvertOptions::To::encrypted) conversion.closes = &**old;
  if (options.to == ConvertOptions::To::other_passphrase) conversion.closes = &**fresh;
  const auto count = convert_keys(ca_dir(options.data_dir), conversion);
  if (!count) return count.error();
  return std::to_string(*count) + said(options.to);
}

}  // namespace slipway
