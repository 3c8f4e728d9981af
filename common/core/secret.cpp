#include "common/core/secret.hpp"

#include <string.h>

namespace slipway {

void secure_wipe(void* data, std::size_t size) {
  if (size != 0) ::explicit_bzero(data, size);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace slipway
