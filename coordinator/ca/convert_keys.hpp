#pragma once
// Encrypts, decrypts or re-encrypts all keys of a CA folder.
#include <cstddef>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct KeyConversion {
  std::vector<const Secret*> opens;  // passphrases that encrypted keys may have; borrowed
  const Secret* closes = nullptr;    // null: keys are written plain
};

// Key by key, each replaced atomically: after a crash some are of the new kind and some of the old, and the same conversion once
// more ends it (a key that is as wanted already opens with `closes`). Before anything is written all keys are read: a wrong
// passphrase changes nothing. No daemon may run. Returns how many were written. Files keep to the caller as their owner.
Result<std::size_t> convert_keys(const std::string& dir, const KeyConversion& conversion);

}  // namespace slipway
