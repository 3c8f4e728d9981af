#pragma once
// Where the passphrase of the CA keys comes from: never from the command line or the environment itself. Blocks.
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

// `file`, when it is named: it must be there, be the caller's or root's and nobody else's to read. Else the systemd credential
// "ca-passphrase" in `credentials_dir` ($CREDENTIALS_DIRECTORY), if there is one. Else none: keys are plain. A trailing line end
// does not count. Errc::denied, Errc::not_found, Errc::invalid (empty, shorter than 8 bytes, longer than 1000) with the cure.
Result<std::optional<Secret>> find_ca_passphrase(const std::string& file, const std::string& credentials_dir);

// $CREDENTIALS_DIRECTORY, or empty.
std::string credentials_dir();

}  // namespace slipway
