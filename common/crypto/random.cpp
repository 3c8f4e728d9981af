#include "common/crypto/random.hpp"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

#include "common/core/text.hpp"
#include "common/crypto/ossl.hpp"

namespace slipway {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (count != 0 && RAND_bytes(ossl::octets(bytes), static_cast<int>(count)) != 1) {
    std::fputs("fatal: the random generator failed\n", stderr);
    std::abort();
  }
  return bytes;
}

std::string random_text(std::size_t count, std::string_view alphabet) {
  if (alphabet.size() < 2 || alphabet.size() > 256) std::abort();
  // Octets at or above the last whole multiple would favour the first letters.
  const std::size_t limit = 256 - 256 % alphabet.size();
  std::string text;
  while (text.size() < count) {
    for (const char c : random_bytes(count + 8)) {
      const auto octet = static_cast<unsigned char>(c);
      if (octet < limit && text.size() < count) text.push_back(alphabet[octet % alphabet.size()]);
    }
  }
  return text;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  for (const char c : random_bytes(8)) seed = seed << 8 | static_cast<unsigned char>(c);
  return seed;
}

std::string random_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex(bytes);
  return join({hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4), hex.substr(20)},
              "-");
}

}  // namespace slipway
