#pragma once
// Takes secrets out of text that leaves a host: archives for support. Pure. The first line of defence is what
// is put in at all; this is the second, for what others wrote: logs, settings of Kubernetes and Docker.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/secret.hpp"

namespace slipway {

class Redactor {
 public:
  Redactor() = default;
  // `known`: texts that must not stand anywhere, as they are or inside longer ones. Shorter ones than 12
  // letters are left out: they are no secrets, and would tear up the text.
  explicit Redactor(std::vector<Secret> known);

  // PEM private keys, also as base64 or DER in base64; join tokens; bearer tokens and JSON web tokens; values
  // of keys that sound like passwords ("password": "...", --secret=..., token: ...); passwords in URLs; what
  // is known. "[redacted]" takes their place.
  std::string operator()(std::string_view text) const;

 private:
  std::vector<Secret> known_;
};

// The forms in which the bytes of a secret number may stand in a text: hex of both cases, base64 of both
// alphabets.
void add_forms(std::vector<Secret>& forms, std::string_view bytes);

}  // namespace slipway
