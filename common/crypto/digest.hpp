#pragma once
// SHA-256 of values and of streams. Out of memory is the only way these fail, and it ends the process.
#include <memory>
#include <string>
#include <string_view>

namespace slipway {

std::string sha256(std::string_view bytes);      // 32 bytes
std::string sha256_hex(std::string_view bytes);  // 64 lower case digits
// Only for X.509 key identifiers (RFC 5280 4.2.1.2), where it is a name and not a safeguard. 20 bytes.
std::string sha1(std::string_view bytes);

// For data too large to hold: artifacts, archives. Not for several threads at once.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  // Both end the stream and start a new one.
  std::string finish();
  std::string finish_hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
